"""Sending images so that each is accepted: a window, a resend by deadline, patience with `busy`
and `no_space`.

Pure but for the `now` that callers pass in; `verbs/send.py` connects it to the broker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Below the core's 1,024 work items, which a pinned splitter shares with everybody.
WINDOW = 128
RESEND_S = 5.0
#: The site has no room now: the same event is welcome later.
RETRIED = ("busy", "no_space")


@dataclass
class Sender:
    """Which events wait, which are under way, which are settled. Times are monotonic seconds."""

    waiting: deque[str]
    window: int = WINDOW
    resend_s: float = RESEND_S
    in_flight: dict[str, float] = field(default_factory=dict)
    accepted: int = 0
    duplicates: int = 0
    resent: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    hold_until: float = 0.0

    @property
    def settled(self) -> int:
        return self.accepted + len(self.rejected)

    @property
    def done(self) -> bool:
        return not self.waiting and not self.in_flight

    def due(self, now: float) -> Iterator[str]:
        """Ids to publish now: overdue ones first, then new ones up to the window."""
        for event_id, deadline in list(self.in_flight.items()):
            if deadline <= now:
                self.resent += 1
                self.in_flight[event_id] = now + self.resend_s
                yield event_id
        while self.waiting and len(self.in_flight) < self.window and now >= self.hold_until:
            event_id = self.waiting.popleft()
            self.in_flight[event_id] = now + self.resend_s
            yield event_id

    def on_accepted(self, reply: dict[str, Any]) -> bool:
        """True when it settled one of ours; a late second answer is not counted."""
        if self.in_flight.pop(str(reply.get("id")), None) is None:
            return False
        self.accepted += 1
        self.duplicates += bool(reply.get("duplicate"))
        return True

    def on_rejected(self, reply: dict[str, Any], now: float) -> bool:
        """True when it settled one of ours; what may be sent again later (`busy`, `no_space`)
        goes back to the queue's head."""
        event_id = str(reply.get("id"))
        if self.in_flight.pop(event_id, None) is None:
            return False
        if reply.get("reason") in RETRIED:
            self.waiting.appendleft(event_id)
            self.hold_until = now + float(reply.get("retry_after_s") or 1.0)
            return False
        self.rejected[event_id] = f"{reply.get('reason')}: {reply.get('detail', '')}"
        return True
