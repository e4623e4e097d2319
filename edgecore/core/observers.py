"""What passes the router, for whoever looks: status, dashboard, ``/api/events``.

Nobody listening costs one comparison per message. An observer that falls behind loses the
oldest messages and learns how many; the router never waits for one.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from contract.topic_filters import TopicIndex
from contract.topics import HEARTBEAT, STATS
from edgecore.core.reports import Reports

STATS_SUFFIX = f"/{STATS}"
HEARTBEAT_SUFFIX = f"/{HEARTBEAT}"
MAX_STATS_PARTS = 64
MAX_STATS_BYTES = 65_536
MAX_KNOWN_TOPICS = 1024
"""Of an observer; topics may hold ids and be endless: then all are forgotten."""
MAX_WAITING_BYTES = 32 << 20
"""Of an observer: as many messages as it may have waiting are half a gigabyte of pictures."""


class Message(NamedTuple):  # one for each message: frozen dataclasses cost four times as much
    """One message that the router accepted; ``t`` is epoch seconds, ``source`` an ARN."""

    t: float
    topic: str
    payload: bytes
    source: str = ""


class Observer:
    """A queue of messages on some filters, bounded in number and bytes; ``linger_s`` as in
    ``Observers.listen``."""

    def __init__(self, filters: Sequence[str], capacity: int, linger_s: float = 0.0) -> None:
        self._linger_s = linger_s
        self._index: TopicIndex[bool] = TopicIndex([(f, True) for f in filters])
        self._wants: dict[str, bool] = {}
        self._capacity = capacity
        self._queue: deque[Message] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self.lost = 0

    def offer(self, message: Message) -> None:
        wants = self._wants.get(message.topic)
        if wants is None:
            if len(self._wants) >= MAX_KNOWN_TOPICS:
                self._wants.clear()
            wants = self._wants[message.topic] = bool(self._index.find(message.topic))
        if not wants:
            return
        self._bytes += len(message.payload)
        self._queue.append(message)
        while len(self._queue) > self._capacity or self._bytes > MAX_WAITING_BYTES:
            self._take()
            self.lost += 1
        self._arrived.set()

    def _take(self) -> Message:
        oldest = self._queue.popleft()
        self._bytes -= len(oldest.payload)
        return oldest

    async def next(self) -> Message:
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
            if self._linger_s:
                await asyncio.sleep(self._linger_s)
        return self._take()


class Offered(Protocol):
    def offer(self, message: Message) -> None:
        """Called in the core's loop, on the path of the images: at once, and never raises."""


class Observers:
    """The hub: ``see`` is called by the router, ``listen`` by the observers."""

    def __init__(self) -> None:
        self._observers: list[Offered] = []
        self._stats: dict[str, Mapping[str, Any]] = {}
        self.stats_reports = Reports()
        self.heartbeats = Reports()
        self._accelerators: dict[str, list[dict[str, Any]]] = {}

    @property
    def watched(self) -> bool:
        return bool(self._observers)

    def add(self, observer: Offered) -> None:
        """For an observer that sorts messages itself, without a task of the loop."""
        self._observers.append(observer)

    def remove(self, observer: Offered) -> None:
        if observer in self._observers:
            self._observers.remove(observer)

    def see(self, t: float, topic: str, payload: bytes, source: str) -> None:
        """Called for every accepted message."""
        if topic.endswith(STATS_SUFFIX):
            self._keep_stats(payload)
        elif topic.endswith(HEARTBEAT_SUFFIX):
            self._keep_heartbeat(payload)
        if self._observers:
            message = Message(t, topic, payload, source)
            for observer in self._observers:
                observer.offer(message)

    def _keep_stats(self, payload: bytes) -> None:
        stats = _object(payload)
        part = stats.get("part")
        if isinstance(part, str) and (part in self._stats or len(self._stats) < MAX_STATS_PARTS):
            self._stats[part] = stats
            self.stats_reports.heard(part)

    def _keep_heartbeat(self, payload: bytes) -> None:
        heartbeat = _object(payload)
        worker = heartbeat.get("worker")
        if not isinstance(worker, str):
            return
        self.heartbeats.heard(worker)
        told = heartbeat.get("accelerators")
        if worker in self._accelerators or len(self._accelerators) < MAX_STATS_PARTS * 4:
            cards = told if isinstance(told, list) else []
            self._accelerators[worker] = [each for each in cards if isinstance(each, dict)]

    def accelerators(self, worker: str) -> list[dict[str, Any]]:
        """What the worker's last heartbeat says that its network runs on (`messages.md`)."""
        return self._accelerators.get(worker, [])

    def tick(self, now: float) -> None:
        """``now`` on the loop's clock, a few times a second."""
        self.stats_reports.tick(now)
        self.heartbeats.tick(now)

    def silence_s(self) -> dict[str, dict[str, float]]:
        """For ``/api/status``: how long since each part's stats and each worker's heartbeat."""
        return {
            "stats": self.stats_reports.silence_s(),
            "heartbeats": self.heartbeats.silence_s(),
        }

    @property
    def stats(self) -> Mapping[str, Mapping[str, Any]]:
        """The last message of each part on a topic that ends in ``/stats``."""
        return self._stats

    def forget_stats(self) -> None:
        """Another group runs: the last stats of the old one's parts do not describe it."""
        self._stats.clear()
        self._accelerators.clear()
        self.stats_reports.forget()
        self.heartbeats.forget()

    async def listen(
        self, filters: Sequence[str], capacity: int, linger_s: float = 0.0
    ) -> AsyncIterator[Message]:
        """Messages on any of the filters, from now on, until closed.

        ``linger_s``: an observer in no hurry is woken for all messages of that time at once,
        not for each of them while the message is on its way.
        """
        observer = Observer(filters, capacity, linger_s)
        self._observers.append(observer)
        try:
            while True:
                yield await observer.next()
        finally:
            self._observers.remove(observer)


def _object(payload: bytes) -> Mapping[str, Any]:
    """A JSON object, or an empty one: others may publish on such a topic too."""
    if len(payload) > MAX_STATS_BYTES:
        return {}
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
