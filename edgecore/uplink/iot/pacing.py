"""Publishes and bytes a second, kept by waiting. Pure: the time is an argument, in seconds."""

from __future__ import annotations

from edgecore.uplink.iot import quotas

#: A shorter wait is none: added to a clock of some days, a float has no digits left for it.
_NOW_S = 1e-6


class Pace:
    """Two token buckets. A message may be sent while both hold something; it takes what it
    needs and may leave a debt, so a message of any size passes and the rate holds."""

    def __init__(
        self,
        *,
        messages_per_s: float = quotas.PUBLISHES_PER_S,
        burst_messages: float = quotas.PUBLISH_BURST,
        bytes_per_s: float = quotas.BYTES_PER_S,
    ) -> None:
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
        return lacking_s if lacking_s > _NOW_S else 0.0

    def spend(self, now: float, size_bytes: int) -> None:
        """One message of so many bytes passed, in either direction."""
        self._fill(now)
        self._messages -= 1.0
        self._bytes -= size_bytes

    def _fill(self, now: float) -> None:
        passed_s = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._messages = min(self._burst_messages, self._messages + passed_s * self._messages_per_s)
        self._bytes = min(self._burst_bytes, self._bytes + passed_s * self._bytes_per_s)
