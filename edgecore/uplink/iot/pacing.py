"""Publishes and bytes a second, kept by waiting. Pure: the time is an argument, in seconds."""

from __future__ import annotations

from collections import deque

from edgecore.uplink.iot import quotas

#: A shorter wait is none: added to a clock of some days, a float has no digits left for it.
_NOW_S = 1e-6


class Pace:
    """Two token buckets. A message may be sent while both hold something; it takes what it
    needs and may leave a debt, so a message of any size passes and the rate holds.

    And a count of what the far side may have counted within its last second: what it answered
    within the last second of this side, and what it has not answered yet. Whatever it takes in one
    second is one or the other when the last of it is sent, however long line or far side stood."""

    def __init__(
        self,
        *,
        messages_per_s: float = quotas.PUBLISHES_PER_S,
        burst_messages: float = quotas.PUBLISH_BURST,
        bytes_per_s: float = quotas.BYTES_PER_S,
        counted_per_s: int = quotas.COUNTED_PER_S,
    ) -> None:
        self._counted_per_s = counted_per_s
        self._unanswered = 0
        self._counted: deque[float] = deque()
        self._messages_per_s, self._bytes_per_s = messages_per_s, bytes_per_s
        self._burst_messages, self._burst_bytes = burst_messages, bytes_per_s / 4
        self._messages, self._bytes = self._burst_messages, self._burst_bytes
        self._at: float | None = None

    def wait_s(self, now: float) -> float:
        """How long until the next message may be sent; 0: now."""
        self._fill(now)
        lacking_s = max(
            (1.0 - self._messages) / self._messages_per_s, -self._bytes / self._bytes_per_s
        )
        lacking_s = max(lacking_s, self._counted_s(now))
        return lacking_s if lacking_s > _NOW_S else 0.0

    def begin(self) -> None:
        """Another connection: the far side counts anew."""
        self._unanswered = 0
        self._counted.clear()

    def sent(self, now: float, size_bytes: int) -> None:
        """One message of so many bytes left."""
        self._spend(now, size_bytes)
        self._unanswered += 1

    def answered(self, now: float) -> None:
        """The far side has acknowledged one of this connection."""
        self._unanswered = max(0, self._unanswered - 1)
        self._counted.append(now)

    def arrived(self, now: float, size_bytes: int) -> None:
        """One message of so many bytes came: it counts as well."""
        self._spend(now, size_bytes)
        self._counted.append(now)

    def _counted_s(self, now: float) -> float:
        """How long until one more cannot be too many."""
        while self._counted and self._counted[0] <= now - 1.0:
            self._counted.popleft()
        beyond = self._unanswered + len(self._counted) + 1 - self._counted_per_s
        if beyond <= 0 or not self._counted:
            return 0.0
        return self._counted[min(beyond, len(self._counted)) - 1] + 1.0 - now

    def _spend(self, now: float, size_bytes: int) -> None:
        self._fill(now)
        self._messages -= 1.0
        self._bytes -= size_bytes

    def _fill(self, now: float) -> None:
        passed_s = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._messages = min(self._burst_messages, self._messages + passed_s * self._messages_per_s)
        self._bytes = min(self._burst_bytes, self._bytes + passed_s * self._bytes_per_s)
