"""What is kept of a client: its subscriptions, and what it has not acknowledged yet."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from devcloud.iot.packets import Message
from devcloud.mqtt_topics import matches

MOST_SUBSCRIPTIONS = 50
MOST_UNACKNOWLEDGED = 100
MOST_QUEUED = 10_000
LONGEST_S = 3600
"""A persistent session lives an hour; AWS sells up to seven days."""


class Line(Protocol):
    """What a session needs of the connection that it has now."""

    client_id: str
    receive_maximum: int

    def receives(self, topic: str) -> bool: ...

    def deliver(self, message: Message, packet_id: int) -> None: ...

    def cut(self, end: Any = None) -> None: ...


@dataclass
class Session:
    """`life_s` 0: it ends with its connection."""

    client_id: str
    life_s: int = 0
    subscriptions: dict[str, int] = field(default_factory=dict)
    connection: Line | None = None
    left_at: float = 0.0
    _queue: deque[Message] = field(default_factory=deque)
    _sent: dict[int, Message] = field(default_factory=dict)
    _next_id: int = 0

    def expired(self) -> bool:
        return self.connection is None and time.monotonic() > self.left_at + self.life_s

    def qos_of(self, topic: str) -> int | None:
        """The greatest of the subscriptions that fit; None where none does."""
        fitting = [qos for pattern, qos in self.subscriptions.items() if matches(pattern, topic)]
        return max(fitting, default=None)

    def put(self, message: Message) -> None:
        """Deliver, or keep for later: QoS 1 only, and only so much."""
        if not message.qos:
            if self.connection is not None and self.connection.receives(message.topic):
                self.connection.deliver(message, 0)
        elif len(self._queue) < MOST_QUEUED:
            self._queue.append(message)
            self.flush()

    def acknowledged(self, packet_id: int) -> None:
        self._sent.pop(packet_id, None)
        self.flush()

    def flush(self) -> None:
        while self.connection is not None and self._queue:
            if len(self._sent) >= min(MOST_UNACKNOWLEDGED, self.connection.receive_maximum):
                return
            message = self._queue.popleft()
            if not self.connection.receives(message.topic):
                continue
            self._next_id = self._next_id % 0xFFFF + 1
            self._sent[self._next_id] = message
            self.connection.deliver(message, self._next_id)

    def disconnected(self) -> None:
        """What was not acknowledged is sent again, with another id, as AWS does it."""
        self.connection, self.left_at = None, time.monotonic()
        unsent = [replace(each) for each in self._sent.values()]
        self._queue.extendleft(reversed(unsent))
        self._sent.clear()
