"""Work items of one function: waiting, in the hands of a worker, answered. No IO.

V1 delivers at most once: an item whose worker dies is lost and its caller gets an error; what
is still waiting survives into the replacement.
"""

from __future__ import annotations

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

_id_head = f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-4{secrets.token_hex(2)[1:]}-8000"
_id_tail = itertools.count(1)


def new_invocation_id() -> str:
    """Unique within and across core runs; UUID-shaped, as AWS's are."""
    return f"{_id_head}-{next(_id_tail):012x}"


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


Take = Callable[[WorkItem], None]


class WorkQueue:
    """Pull queue of one function; workers are named, a name may wait for one item at a time."""

    def __init__(self, budget: WorkBudget, clock: Callable[[], float]) -> None:
        self._budget = budget
        self._clock = clock
        self._waiting: deque[WorkItem] = deque()
        self._takers: dict[str, Take] = {}
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
        if self._takers:
            worker = next(iter(self._takers))
            self._hand(item, worker, self._takers.pop(worker))
            return True
        self._waiting.append(item)
        if self.on_starved is not None:
            self.on_starved()
        return True

    def fetch(self, worker: str, take: Take) -> None:
        """Give ``worker`` the next item: now, or as soon as there is one."""
        if self._waiting:
            self._hand(self._waiting.popleft(), worker, take)
        else:
            self._takers[worker] = take

    def _hand(self, item: WorkItem, worker: str, take: Take) -> None:
        item.worker = worker
        item.handed_at = self._clock()
        self._in_hand[item.invocation_id] = item
        self.invocations += 1
        take(item)

    def stop_waiting(self, worker: str, take: Take | None = None) -> None:
        """The worker's poll is gone; with ``take`` only where it is still that very poll."""
        if take is None or self._takers.get(worker) is take:
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
