"""Entry point of the inference Lambda (pinned, or on demand; encoding type `json`)."""

from __future__ import annotations

import sys
from typing import Any

from lambdas.common import log
from lambdas.common.bus import GreengrassBus
from lambdas.common.settings import inference_settings
from lambdas.common.variables import SettingsError
from lambdas.inference.model_spec import ModelError
from lambdas.inference.worker import Worker
from lambdas.tensors.leaving import before_the_end

EXIT_NO_MODEL = 1


def _start() -> Worker:
    try:
        settings = inference_settings()
        log.configure(settings.log_level)
        return Worker(settings, GreengrassBus())
    except (ModelError, SettingsError) as error:
        # The core restarts this function with back-off: a model may yet be put right.
        log.configure("INFO")
        log.get_logger("worker").critical("cannot start: %s", error)
        sys.exit(EXIT_NO_MODEL)


_worker = _start()
before_the_end(_worker.leave)


def handler(event: Any, context: Any) -> None:  # noqa: ARG001 - the core's signature
    """Take one batch or probe; what becomes of it is told by messages."""
    _worker.handle(event)
