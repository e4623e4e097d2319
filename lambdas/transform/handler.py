"""Entry point of the transform Lambda (strategy `decoupled`; pinned; encoding type `json`)."""

from __future__ import annotations

import sys
from typing import Any

from lambdas.common import log
from lambdas.common.bus import GreengrassBus
from lambdas.common.settings import transform_settings
from lambdas.common.variables import SettingsError
from lambdas.inference.model_spec import ModelError
from lambdas.tensors.leaving import before_the_end
from lambdas.tensors.ring import RingError
from lambdas.transform.worker import TransformWorker

EXIT_CANNOT = 1


def _start() -> TransformWorker:
    try:
        settings = transform_settings()
        log.configure(settings.log_level)
        return TransformWorker(settings, GreengrassBus())
    except (ModelError, RingError, SettingsError) as error:
        # The core restarts this function with back-off: it may yet be put right.
        log.configure("INFO")
        log.get_logger("transform").critical("cannot start: %s", error)
        sys.exit(EXIT_CANNOT)


_worker = _start()
before_the_end(_worker.leave)


def handler(event: Any, context: Any) -> None:  # noqa: ARG001 - the core's signature
    """Take one batch or probe; what becomes of it is told by messages."""
    _worker.handle(event)
