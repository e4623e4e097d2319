"""The core's own report to the cloud: its verdict, beside those of splitter and aggregator.

On the same topic and with the same period (docs/spec/messages.md, Health), and soon after a
change: somebody may be called by it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from contract.status import Status
from edgecore.core.group import Group
from edgecore.core.verdict import DEGRADED, DOWN, OK, verdict_of

LOOK_EVERY_S = 1.0
SETTLED_S = 5.0
"""A change counts when it has lasted: a restart is no news."""
MAX_REASONS = 10
LEVELS = {OK: 0, DEGRADED: 1, DOWN: 2}
_DEFAULT_EVERY_S = 60.0


def health_settings(group: Group) -> tuple[str, float]:
    """Topic ("" : this group reports none) and period in seconds, from the functions' variables."""
    for function in group.lambdas:
        if topic := function.environment.get("FANFOLD_HEALTH_TOPIC"):
            every = function.environment.get("FANFOLD_HEALTH_EVERY_S", "")
            return topic, float(every) if every.isdecimal() else _DEFAULT_EVERY_S
    return "", _DEFAULT_EVERY_S


def report(status: Status, *, site: str, interval_s: float, wall: float) -> dict[str, Any]:
    """One message. `verdict_level`: 0 ok, 1 degraded, 2 down."""
    verdict, group = verdict_of(status), status.get("group", {})
    keys = ("code", "level", "subject", "problem")
    reasons: list[Mapping[str, Any]] = [{**reason} for reason in verdict["reasons"]]
    return {
        "v": 1,
        "site": site,
        "core": status.get("core", {}).get("thing"),
        "part": "core",
        "t": round(wall, 3),
        "interval_s": round(interval_s, 1),
        "verdict": verdict["state"],
        "verdict_level": LEVELS[verdict["state"]],
        "ready": verdict["ready"],
        "reasons": [{k: str(r[k])[:300] for k in keys} for r in reasons[:MAX_REASONS]],
        "version": status.get("core", {}).get("version"),
        "deployment": group.get("deployment"),
        **({"trial": {**trial}} if (trial := group.get("trial")) else {}),
        **_canary(status),
    }


def _canary(status: Status) -> dict[str, Any]:
    """The last canary in short; its report stays on the device."""
    canary = status.get("canary")
    if canary is None:
        return {}
    keys = (
        "deployment", "state", "reason", "model", "against", "compared", "disagreed", "failed",
        "deaths", "inference_ms", "ended",
    )  # fmt: skip
    short = {k: canary.get(k) for k in keys}
    return {"canary": {**short, "reason": str(canary.get("reason") or "")[:300]}}


class HealthReporter:
    """``run`` beside the core; ``put`` is the spool's."""

    def __init__(
        self, status: Callable[[], Status], put: Callable[[str, bytes], Awaitable[bool]]
    ) -> None:
        self._status, self._put = status, put
        self._site, self._topic, self._every_s = "", "", _DEFAULT_EVERY_S

    def show(self, group: Group) -> None:
        self._topic, self._every_s = health_settings(group)
        self._site = self._topic.split("/")[1] if self._topic.count("/") >= 2 else group.name

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        reported_at, told, changed_at = clock(), "", clock()
        seen = ""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now, state = clock(), verdict_of(self._status())["state"]
            if state != seen:
                seen, changed_at = state, now
            changed = state != told and now - changed_at >= SETTLED_S
            if not self._topic or not (changed or now - reported_at >= self._every_s):
                continue
            message = report(
                self._status(),
                site=self._site,
                interval_s=now - reported_at,
                wall=time.time(),
            )
            if await self._put(self._topic, json.dumps(message).encode()):
                reported_at, told = now, state
