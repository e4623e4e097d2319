"""Entry point of the splitter Lambda (pinned, encoding type `binary`)."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from contract.topics import Topics
from lambdas.common import log
from lambdas.common.bus import GreengrassBus
from lambdas.common.loop import Loop, hands_over
from lambdas.common.settings import splitter_settings
from lambdas.common.starting import starting
from lambdas.common.state_volume import opened
from lambdas.common.variables import SettingsError
from lambdas.splitter.engine import Splitter

# A state directory that cannot be made, a database that cannot be opened: they name themselves.
with starting("splitter", SettingsError, OSError, sqlite3.OperationalError):
    _settings = splitter_settings()
    log.configure(_settings.log_level)
    _bus = GreengrassBus()
    _splitter = opened(
        "splitter",
        _settings.own_state_dir,
        lambda now: Splitter(_settings, _bus, now),
        time.monotonic(),
        _bus,
        _settings.stats_topic,
    )
_loop = Loop(_splitter).start()
_heartbeats = Topics(_settings.site).heartbeat


@hands_over
def handler(event: Any, context: Any) -> None:
    """Hand one message over. What it says is answered by messages, never by a return."""
    subject = context.client_context.custom["subject"]
    # Of many workers they would be most of the steps. A hello is waited for.
    can_wait = subject == _heartbeats and isinstance(event, bytes) and b"hello" not in event
    _loop.put(subject, event, can_wait=can_wait)
