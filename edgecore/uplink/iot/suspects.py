"""Which message makes the far side close the connection. Pure; times in seconds.

AWS IoT ends a connection over a message that its policy or its limits forbid, and says not
over which. One such end with a message in flight makes a suspicion: from then on messages
are sent one at a time, each after the connection has stood still for a while. One that the
far side closes at once, alone and after such a rest, is proved after ``PROOFS`` times.
Ends that speak of the server, and silence, prove nothing.
"""

from __future__ import annotations

from edgecore.uplink.iot import quotas
from edgecore.uplink.iot.reason_codes import may_be_a_message

REST_S = 1.0
VERDICT_S = 5.0
PROOFS = 2
VERDICT_HOLDS_S = 300.0
"""For so long the topic's other messages share its verdict; then one is tried again."""

Key = tuple[str, int]


class Suspects:
    def __init__(self) -> None:
        self._alone_left = 0
        self._proofs: dict[Key, int] = {}
        self._topics: dict[str, float] = {}

    @property
    def alone(self) -> bool:
        """Whether messages are to be sent one at a time, each after ``REST_S`` of rest."""
        return self._alone_left > 0

    def closed(
        self, *, by_peer: bool, code: int | None, in_flight: int, key: Key | None, age_s: float
    ) -> None:
        """A connection ended. ``key``: the oldest message in flight, sent ``age_s`` ago."""
        if not by_peer or not may_be_a_message(code) or key is None or in_flight == 0:
            return
        if self.alone and in_flight == 1 and age_s <= VERDICT_S:
            self._proofs[key] = self._proofs.get(key, 0) + 1
        self._alone_left = quotas.WINDOW_MESSAGES

    def accepted(self, key: Key) -> None:
        """The far side took it: it is none; after a window of such the suspicion is over."""
        self._proofs.pop(key, None)
        self._alone_left = max(0, self._alone_left - 1)

    def is_poison(self, key: Key, topic: str, now: float) -> bool:
        """Whether the message at the front is to be dropped by name."""
        if self.knows(topic, now):
            return True
        needed = 1 if topic in self._topics else PROOFS
        if self._proofs.get(key, 0) < needed:
            return False
        self._proofs.pop(key)
        self._topics[topic] = now + VERDICT_HOLDS_S
        return True

    def knows(self, topic: str, now: float) -> bool:
        """Whether the topic's messages share a verdict now."""
        return self._topics.get(topic, now) > now

    def topics(self, now: float) -> list[str]:
        """Topics whose messages end the connection, as far as is known now."""
        return sorted(topic for topic, until in self._topics.items() if until > now)
