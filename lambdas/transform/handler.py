"""Entry point of the transform Lambda (strategy `decoupled`; pinned; encoding type `json`)."""

from __future__ import annotations

from typing import Any

from lambdas.common import log
from lambdas.common.bus import GreengrassBus
from lambdas.common.settings import transform_settings
from lambdas.common.starting import starting
from lambdas.common.variables import SettingsError
from lambdas.model.errors import ModelError
from lambdas.tensors.cleanup import remove_at_the_end
from lambdas.tensors.folder import ring_path
from lambdas.tensors.ring import RingError
from lambdas.transform.worker import TransformWorker

with starting("transform", ModelError, RingError, SettingsError):
    _settings = transform_settings()
    log.configure(_settings.log_level)
    remove_at_the_end(ring_path(_settings.shm_dir, _settings.worker))
    _worker = TransformWorker(_settings, GreengrassBus())


def handler(event: Any, context: Any) -> None:  # noqa: ARG001 - the core's signature
    """Take one batch or probe; what becomes of it is told by messages."""
    _worker.handle(event)
