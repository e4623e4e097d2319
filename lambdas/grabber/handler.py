"""Entry point of the grabber Lambda (pinned, encoding type `json`)."""

from __future__ import annotations

import time
from typing import Any

from lambdas.common import log
from lambdas.common.bus import GreengrassBus
from lambdas.common.loop import Loop
from lambdas.common.starting import starting
from lambdas.common.variables import SettingsError
from lambdas.grabber.grabber import Grabber
from lambdas.grabber.settings import grabber_settings

#: Looks between frames: a rate of 30 a second is kept.
TICK_S = 0.01

with starting("grabber", SettingsError, OSError):
    _settings = grabber_settings()
    log.configure(_settings.log_level)
    _grabber = Grabber(_settings, GreengrassBus(), time.monotonic())
_loop = Loop(_grabber, tick_s=TICK_S).start()
_grabber.run(_loop.put)


def handler(event: Any, context: Any) -> None:
    """Hand one answer over."""
    _loop.put(context.client_context.custom["subject"], event)
