"""When a camera is asked for a frame, and what becomes of frames that wait for an answer. Pure.

Back-pressure: of one camera at most `IN_FLIGHT` frames wait for the splitter's answer, and about
two seconds' worth for their record. A frame that is due and finds no room is dropped before it is
encoded, so that the next one is as new as can be.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

IN_FLIGHT = 4
BEHIND_S = 2.0
FEWEST_BEHIND = 4
RESEND_S = 2.0
#: The splitter parks an event for 10 s at most until it knows the aggregator.
GIVE_UP_S = 30.0
LONGEST_PAUSE_S = 5.0
BUSY = ("busy", "no_space")


class Sent(NamedTuple):
    """One frame with the splitter. `path`: below the images volume."""

    id: str
    path: str
    payload: bytes
    first_at: float


class Flow:
    """Of one camera. `now` is monotonic seconds."""

    def __init__(self, fps: float, now: float) -> None:
        self._interval_s = 1.0 / fps
        self._behind = max(FEWEST_BEHIND, math.ceil(BEHIND_S * fps))
        self._due_at = now
        self._pause_until = now
        self._backlog = self._since = 0
        self._quiet_since = now
        # In the order in which they were announced.
        self.sent: dict[str, Sent] = {}
        self.accepted = self.dropped = self.unanswered = 0
        self.rejected: dict[str, int] = {}

    def due(self, now: float) -> bool:
        """Whether a frame is to be had now; a due one that finds no room counts as dropped."""
        if now < self._due_at:
            return False
        # A late look catches up, but a camera's pause is not made up for by a burst.
        self._due_at = max(self._due_at + self._interval_s, now + self._interval_s / 2)
        if self.has_room(now):
            return True
        self.dropped += 1
        return False

    def begin(self, now: float) -> None:
        """The camera's first frame is here: its pace counts from now."""
        self._due_at = now + self._interval_s

    def has_room(self, now: float) -> bool:
        """Whether the splitter and the workers keep up with this camera."""
        behind = self._backlog + self._since + len(self.sent)
        return now >= self._pause_until and len(self.sent) < IN_FLIGHT and behind < self._behind

    def sending(self, sent: Sent) -> None:
        if not self.sent:
            self._quiet_since = sent.first_at
        self.sent[sent.id] = sent

    def to_repeat(self, now: float) -> list[Sent]:
        """Frames to publish again under their ids, in order: no answer comes at all."""
        if not self.sent or now - self._quiet_since < RESEND_S:
            return []
        self._quiet_since = now
        return list(self.sent.values())

    def given_up(self, now: float) -> list[Sent]:
        """Frames that nobody answers for; their files may go."""
        old = [sent for sent in self.sent.values() if now - sent.first_at >= GIVE_UP_S]
        for sent in old:
            del self.sent[sent.id]
        self.unanswered += len(old)
        return old

    def answered(self, reply: dict[str, Any], now: float) -> list[Sent]:
        """The frames that are done with, the one that this reply is about last; [] if none is.

        Earlier ones that nobody has answered are given up: taken now, they would stand behind a
        newer one in their stream.
        """
        key = str(reply.get("id"))
        if key not in self.sent:
            return []
        done: list[Sent] = []
        while not (done and done[-1].id == key):
            done.append(self.sent.pop(next(iter(self.sent))))
        self.unanswered += len(done) - 1
        self._quiet_since = now
        self._count(reply, now)
        return done

    def _count(self, reply: dict[str, Any], now: float) -> None:
        reason = reply.get("reason")
        if reason is None:
            self.accepted += 1
            self._since += 1
        elif reason in BUSY:
            self.dropped += 1
            wait_s = reply.get("retry_after_s")
            pause_s = float(wait_s) if isinstance(wait_s, (int, float)) else 1.0
            self._pause_until = now + min(max(pause_s, 0.0), LONGEST_PAUSE_S)
        else:
            self.rejected[str(reason)] = self.rejected.get(str(reason), 0) + 1

    def backlog(self, images: int) -> None:
        """The splitter's word: so many of this camera have no record yet."""
        self._backlog, self._since = images, 0
