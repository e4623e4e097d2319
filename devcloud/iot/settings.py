"""Quotas of one connection, and faults that a test may ask for. All settable while it runs."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

PUBLISHES_PER_S = 100
BYTES_PER_S = 512 * 1024
DENIALS = ("disconnect", "puback")


@dataclass(frozen=True)
class Settings:
    """Defaults are AWS's quotas per connection; faults are off.

    `denied_publish`: what a QoS 1 publish that no policy allows gets over MQTT 5: the connection
    closed (`disconnect`), or PUBACK 0x87 (`puback`); what AWS does was not seen.
    `delay_s`: of every answer. `withhold_acks`, `drop_publishes`: of so many next publishes the
    acknowledgement, or the message as well, is lost. `minute_s`: a minute of a job's rollout.
    """

    publishes_per_s: int = PUBLISHES_PER_S
    bytes_per_s: int = BYTES_PER_S
    denied_publish: str = "disconnect"
    delay_s: float = 0.0
    withhold_acks: int = 0
    drop_publishes: int = 0
    minute_s: float = 60.0

    def changed(self, wanted: dict[str, Any]) -> Settings:
        """Raises ValueError naming what is not a setting, or of another type."""
        kinds = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        for name, value in wanted.items():
            if name not in kinds:
                raise ValueError(f"{name!r} is no setting; there are {', '.join(kinds)}")
            if kinds[name] is float and isinstance(value, int):
                continue
            if type(value) is not kinds[name]:
                raise ValueError(f"{name}: {value!r} is no {kinds[name].__name__}")
        made = replace(self, **wanted)
        if made.denied_publish not in DENIALS:
            raise ValueError(f"denied_publish: one of {', '.join(DENIALS)}")
        return made

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Throttle:
    """Publishes and bytes of the last second; too many publishes are lost in silence."""

    def __init__(self) -> None:
        self._publishes: deque[float] = deque()
        self._free_at = 0.0
        self.lost = 0

    def takes(self, limit: int, now: float | None = None) -> bool:
        """Whether one more publish is within the limit; counts it where it is."""
        now = time.monotonic() if now is None else now
        while self._publishes and self._publishes[0] <= now - 1.0:
            self._publishes.popleft()
        if len(self._publishes) >= limit:
            self.lost += 1
            return False
        self._publishes.append(now)
        return True

    def wait_s(self, size: int, limit: int, now: float | None = None) -> float:
        """How long these bytes must wait: throughput is delayed, never dropped."""
        now = time.monotonic() if now is None else now
        self._free_at = max(self._free_at, now - 1.0) + size / limit
        return max(0.0, self._free_at - now)
