"""What people rely on beside the results: that they are called, that it is remembered. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contract.status import Reason, Status
from edgecore.core.stats import mapping, number
from edgecore.core.verdict.reason import degraded


def watch_reasons(status: Status) -> Iterator[Reason]:
    yield from _alerts(status)
    if problem := mapping(status.get("history")).get("problem"):
        yield degraded(
            "history_problem",
            "history",
            f"is not kept as it should be: {problem}",
            "put that right: images go on being inspected, and it is tried again by itself",
        )


def _alerts(status: Status) -> Iterator[Reason]:
    """Who is not called cannot know it from a call."""
    alerts = mapping(status.get("alerts"))
    if problem := alerts.get("problem"):
        yield degraded(
            "alerts_not_sent",
            "alerts",
            f"are not judged as the site file says: {problem}",
            "correct `alerts` in the site file and deploy",
        )
    channels: list[Any] = alerts.get("channels") or []
    for channel in channels:
        if problem := mapping(channel).get("problem"):
            waiting = number(channel.get("waiting")) or 0.0
            yield degraded(
                "alerts_not_sent",
                f"alerts by {channel.get('name')}",
                f"do not arrive: {problem}",
                f"{waiting:.0f} wait and are tried again for a day; once it works, test it with "
                "`fanfold alerts test`",
            )
