"""Entry point of the inference Lambda (pinned, or on demand; encoding type `json`)."""

from __future__ import annotations

from typing import Any

from lambdas.common import log
from lambdas.common.bus import GreengrassBus
from lambdas.common.settings import inference_settings
from lambdas.common.starting import starting
from lambdas.common.variables import SettingsError
from lambdas.model.errors import ModelError
from lambdas.tensors.cleanup import remove_at_the_end
from lambdas.tensors.folder import lease_path
from lambdas.worker.worker import Worker

with starting("worker", ModelError, SettingsError):
    _settings = inference_settings()
    log.configure(_settings.log_level)
    if _settings.transforms:
        remove_at_the_end(lease_path(_settings.shm_dir, _settings.worker))
    _worker = Worker(_settings, GreengrassBus())


def handler(event: Any, context: Any) -> None:  # noqa: ARG001 - the core's signature
    """Take one batch or probe; what becomes of it is told by messages."""
    _worker.handle(event)
