"""What one client subscribed to, and whether a topic is among it. Pure."""

from __future__ import annotations

from contract.topic_filters import matches

_MOST_WANTED = 256
"""Topics may hold ids and be endless: then all are forgotten."""


class Subscriptions:
    def __init__(self, most: int) -> None:
        self._most = most
        self._filters: dict[str, None] = {}
        self._wanted: dict[str, bool] = {}  # by topic, whether a filter takes it

    def add(self, topic_filter: str) -> bool:
        """False: there are as many as one client may have."""
        if len(self._filters) >= self._most and topic_filter not in self._filters:
            return False
        self._filters[topic_filter] = None
        self._wanted.clear()
        return True

    def remove(self, topic_filter: str) -> None:
        self._filters.pop(topic_filter, None)
        self._wanted.clear()

    def takes(self, topic: str) -> bool:
        wants = self._wanted.get(topic)
        if wants is None:
            if len(self._wanted) >= _MOST_WANTED:
                self._wanted.clear()
            wants = any(matches(topic_filter, topic) for topic_filter in self._filters)
            self._wanted[topic] = wants
        return wants
