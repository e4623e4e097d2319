"""Work items of one function: waiting, in the hands of a worker, answered. No IO.

V1 delivers at most once: an item whose worker dies is lost and its caller gets an error; what
is still waiting survives into the replacement.
"""

from __future__ import annotations

import functools
import itertools
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from contract.limits import WORK_ITEMS

MAX_WORK_ITEMS = WORK_ITEMS.value
"""``maxWorkItemCount`` of the V1 core, shared by all functions; items above it are ignored
(AWS IoT Greengrass V1 developer guide, "Configure the core", config.json ``runtime``)."""

HANDLED = "Handled"
UNHANDLED = "Unhandled"

Reply = Callable[[bytes, str], None]
"""Called once with (payload, function error or "")."""

_id_tail = itertools.count(1)


@functools.cache
def _id_head() -> str:
    """Drawn when the first is asked for, not at the import: a fork draws its own."""
    return f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-4{secrets.token_hex(2)[1:]}-8000"


def new_invocation_id() -> str:
    """Unique within and across core runs; UUID-shaped, as AWS's are."""
    return f"{_id_head()}-{next(_id_tail):012x}"


@dataclass(slots=True)
class WorkItem:
    """One invocation; ``context`` is the value of X-Amz-Client-Context."""

    invocation_id: str
    payload: bytes
    context: str = ""
    enqueued_at: float = 0.0
    reply: Reply | None = None
    worker: str = ""
    handed_at: float = 0.0


class WorkBudget:
    """How many items the whole core holds, waiting and in hand."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int = MAX_WORK_ITEMS) -> None:
        self.limit = limit
        self.held = 0

    @property
    def free(self) -> int:
        return self.limit - self.held


MOST_BYTES = 1 << 18
"""Of the items behind the first that one poll gets."""
Take = Callable[..., None]
"""Called once with the item, or with as many as its poll may get."""
Soon = Callable[[Callable[[], object]], object]


class WorkQueue:
    """Pull queue of one function; workers are named, a name has one poll at a time."""

    def __init__(
        self, budget: WorkBudget, clock: Callable[[], float], soon: Soon | None = None
    ) -> None:
        """``soon``: calls back when what is at hand has been read; then a poll that takes several
        items gets all that have come. None: it gets the first at once."""
        self._budget = budget
        self._clock = clock
        self._soon = soon
        self._handing_out = False
        self._waiting: deque[WorkItem] = deque()
        self._takers: dict[str, tuple[Take, int]] = {}
        self._in_hand: dict[str, WorkItem] = {}
        self.on_starved: Callable[[], None] | None = None
        self.refusal: bytes | None = None
        """Why the function cannot be started; its messages are lost with this answer, and
        take no room from those of the others."""
        self.invocations = 0
        self.errors = 0

    def offer(self, item: WorkItem) -> bool:
        """Hand the item to the worker that waits longest, or keep it. False: core is full."""
        if self.refusal is not None:
            self.errors += 1
            if item.reply is not None:
                item.reply(self.refusal, UNHANDLED)
            return True
        if self._budget.held >= self._budget.limit:
            return False
        self._budget.held += 1
        item.enqueued_at = self._clock()
        self._waiting.append(item)
        if self._takers:
            self._hand_out_soon()
        elif self.on_starved is not None:
            self.on_starved()
        return True

    def fetch(self, worker: str, take: Take, most: int = 1) -> None:
        """Give ``worker`` the next item, or up to ``most``: now, or as soon as there is one."""
        self._takers[worker] = take, most
        if self._waiting:
            self._hand_out()

    def _hand_out_soon(self) -> None:
        _, most = next(iter(self._takers.values()))
        if most == 1 or self._soon is None:
            self._hand_out()
        elif not self._handing_out:
            self._handing_out = True
            self._soon(self._hand_out)

    def _hand_out(self) -> None:
        self._handing_out = False
        while self._waiting and self._takers:
            worker = next(iter(self._takers))
            take, most = self._takers.pop(worker)
            take(*self._hand(worker, most))

    def _hand(self, worker: str, most: int) -> list[WorkItem]:
        now, items, room = self._clock(), [self._waiting.popleft()], MOST_BYTES
        while self._waiting and len(items) < most:
            room -= len(self._waiting[0].payload)
            if room < 0:
                break
            items.append(self._waiting.popleft())
        for item in items:
            item.worker, item.handed_at = worker, now
            self._in_hand[item.invocation_id] = item
        self.invocations += len(items)
        return items

    def stop_waiting(self, worker: str, take: Take | None = None) -> None:
        """The worker's poll is gone; with ``take`` only where it is still that very poll."""
        if take is None or self._takers.get(worker, (None, 0))[0] is take:
            self._takers.pop(worker, None)

    def finish(self, invocation_id: str, worker: str, payload: bytes, error: str = "") -> bool:
        """Answer an item. False: the worker does not hold it (answered, timed out, or never)."""
        item = self._in_hand.get(invocation_id)
        if item is None or item.worker != worker:
            return False
        self._settle(item, payload, error)
        return True

    def lose_worker(self, worker: str, reason: bytes) -> int:
        """The worker is gone: its items are lost, their callers get errors. Returns how many."""
        self._takers.pop(worker, None)
        lost = [item for item in self._in_hand.values() if item.worker == worker]
        for item in lost:
            self._settle(item, reason, UNHANDLED)
        return len(lost)

    def clear(self, reason: bytes) -> int:
        """Forget what waits (a deployment or a stop: V1 loses it). Returns how many."""
        lost = list(self._waiting)
        self._waiting.clear()
        for item in lost:
            self._settle(item, reason, UNHANDLED)
        return len(lost)

    def _settle(self, item: WorkItem, payload: bytes, error: str) -> None:
        self._in_hand.pop(item.invocation_id, None)
        self._budget.held -= 1
        if error:
            self.errors += 1
        if item.reply is not None:
            item.reply(payload, error)

    def in_hand_of(self, worker: str) -> list[WorkItem]:
        return [item for item in self._in_hand.values() if item.worker == worker]

    def is_waiting(self, worker: str) -> bool:
        return worker in self._takers

    @property
    def depth(self) -> int:
        """Items that no worker has taken."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        return len(self._waiting) + len(self._in_hand)

    def oldest_s(self) -> float:
        """Age of the oldest item that waits; 0 where none does."""
        return self._clock() - self._waiting[0].enqueued_at if self._waiting else 0.0
