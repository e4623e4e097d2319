"""Between the group that serves and the lane: copies of work in, both models' answers out.

It listens to the group's messages and says nothing there: a canary that is slow, full or gone
costs the group nothing but the machine's time.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from contract.agreement import Judgement, judge
from contract.messages import MessageError, Record, parse_done, parse_work
from contract.messages.wire import encode
from edgecore.canary.comparison import Comparison
from edgecore.canary.copies import Copies
from edgecore.canary.lane import Lane, Topics
from edgecore.canary.pairs import Pairs
from edgecore.core.observers import Message

log = logging.getLogger(__name__)

Differ = Callable[[Record, Record, str], object]
"""Told of the old model's record, the new one's, and a file of the image that is there now."""

Publish = Callable[[str, bytes], object]
"""To a canary worker, by the topic of its work."""


class Mirror:
    """``offer`` is the group's observer, ``take`` the target of the lane's messages."""

    costs = 0

    def __init__(
        self,
        lane: Lane,
        topics: Topics,
        comparison: Comparison,
        copies: Copies,
        clock: Callable[[], float],
    ) -> None:
        self._lane, self._topics, self._comparison = lane, topics, comparison
        self._copies, self._clock = copies, clock
        self.publish: Publish = lambda _topic, _payload: None
        self.differ: Differ = lambda _old, _new, _name: None
        self._pairs = Pairs()
        self._ready: dict[str, str] = {}
        self._linked: dict[str, list[Record]] = {}
        self._copying: set[asyncio.Task[None]] = set()
        self._count = 0
        self.expired = 0
        self.model: Record | None = None
        self.against: Record | None = None

    def prepare(self) -> None:
        """Blocking."""
        self._copies.begin()

    # The group that serves.

    def offer(self, message: Message) -> None:
        """On the path of the images: a comparison of topics, and more only for what is wanted.
        Never raises."""
        if message.topic.startswith(self._topics.work):
            if (worker := self._free()) is not None:
                self._copy(worker, message.payload)
        elif message.topic == self._topics.done and self._pairs.waiting:
            self._old(message.payload)

    def _free(self) -> str | None:
        return next((w for w in self._ready if not self._pairs.busy(w)), None)

    def _copy(self, worker: str, payload: bytes) -> None:
        try:
            work = parse_work(payload)
        except MessageError:
            return
        if not work.items:
            return
        self._count += 1
        batch = f"canary-{self._count}"
        self._pairs.begin(batch, worker, work.items, self._clock())
        task = asyncio.ensure_future(self._send(batch, worker, work.items, work.volume))
        self._copying.add(task)
        task.add_done_callback(self._copying.discard)

    async def _send(self, batch: str, worker: str, items: list[Record], volume: str) -> None:
        linked = await asyncio.to_thread(self._copies.link, items)
        self._linked[batch] = linked
        content: Record = {"v": 1, "batch": batch, "attempt": 1, "items": linked}
        if volume:
            content["volume"] = volume
        self.publish(self._lane.workers[worker], encode(content))

    def _old(self, payload: bytes) -> None:
        try:
            done = parse_done(payload)
        except MessageError:
            return
        if done.results and done.model:
            self.against = done.model
        for record in done.results:
            self._pairs.old(record)

    # The lane.

    def take(self, topic: str, payload: bytes) -> None:
        try:
            content = json.loads(payload)
        except (ValueError, RecursionError):
            return
        if not isinstance(content, dict):
            return
        if topic == self._lane.heartbeat:
            self._heard(content)
        elif topic == self._lane.done:
            self._new(content)

    def _heard(self, heartbeat: dict[str, Any]) -> None:
        worker, incarnation = heartbeat.get("worker"), str(heartbeat.get("incarnation"))
        if worker not in self._lane.workers:
            return
        if self._ready.get(worker, incarnation) != incarnation:
            self.gone(worker)
        self._ready[worker] = incarnation
        self.model = heartbeat.get("model") or self.model

    def _new(self, content: dict[str, Any]) -> None:
        try:
            done = parse_done(content)
        except MessageError as error:
            log.warning("canary: an answer is refused: %s", error)
            return
        for record in done.results:
            self._pairs.new(done.batch, record)

    def gone(self, worker: str) -> None:
        """A canary worker's process has ended; it is known again by its next hello."""
        if self._ready.pop(worker, None) is None:
            return
        self._comparison.died(self._pairs.died(worker))

    async def tick(self) -> None:
        """Judge what has come, in a thread: masks take a while."""
        found = list(self._pairs.finished())
        self.expired += self._pairs.expire(self._clock())
        over = [batch for batch in self._linked if not self._pairs.knows(batch)]
        items = [item for batch in over for item in self._linked.pop(batch)]
        if not found and not items:
            return
        judged = await asyncio.to_thread(self._judge, found, items, self._names(items))
        for (old, new), each in zip(found, judged, strict=True):
            self._comparison.add(old, new, each)

    def _names(self, over: list[Record]) -> dict[tuple[Any, Any], str]:
        """The copies that are there until these are released."""
        items = [*over, *(item for linked in self._linked.values() for item in linked)]
        return {(i.get("stream"), i.get("seq")): str(i.get("kept") or i["file"]) for i in items}

    def _judge(
        self,
        pairs: list[tuple[Record, Record]],
        answered: list[Record],
        names: dict[tuple[Any, Any], str],
    ) -> list[Judgement]:
        judged = [judge(old, new) for old, new in pairs]
        for (old, new), each in zip(pairs, judged, strict=True):
            if not each.agree:
                self.differ(old, new, names.get((old.get("stream"), old.get("seq")), ""))
        self._copies.release(answered)
        return judged

    async def close(self) -> None:
        for task in list(self._copying):
            task.cancel()
        await asyncio.gather(*self._copying, return_exceptions=True)
        await asyncio.to_thread(self._copies.end)

    @property
    def ready(self) -> bool:
        return bool(self._ready)
