"""What waits of alerts that are over, as it is kept over a restart of the core. Pure.

An alert that is on is told again by its state; of one that has ended nothing else remembers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from edgecore.alerts.alert_states import Notice
from edgecore.alerts.channel import Channel

Unsent = dict[str, list[Notice]]
"""By way, in order."""


def of_channels(channels: Iterable[Channel]) -> Unsent:
    waiting = {channel.name: channel.of_ended() for channel in channels}
    return {name: notices for name, notices in waiting.items() if notices}


def as_json(unsent: Unsent) -> dict[str, Any]:
    return {name: [asdict(notice) for notice in notices] for name, notices in unsent.items()}


def from_json(kept: Mapping[str, Any]) -> Unsent:
    """Raises TypeError, ValueError, AttributeError for what was never kept so."""
    return {name: [_notice(each) for each in found] for name, found in kept.items()}


def _notice(kept: Mapping[str, Any]) -> Notice:
    """A file may be of another version: a notice that cannot be sent must not reach a channel."""
    if kept["kind"] not in ("on", "again", "ended"):
        raise ValueError(f"a message of kind {kept['kind']!r}")
    return Notice(kind=kept["kind"], rule=str(kept["rule"]), text=str(kept["text"]),
        t=float(kept["t"]), since=float(kept["since"]))  # fmt: skip
