from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from edgecore.core.workqueue import (
    HANDLED,
    MOST_BYTES,
    UNHANDLED,
    WorkBudget,
    WorkItem,
    WorkQueue,
    new_invocation_id,
)


def make(limit: int = 10) -> tuple[WorkQueue, WorkBudget]:
    budget = WorkBudget(limit)
    return WorkQueue(budget, lambda: 0.0), budget


def test_items_reach_one_worker_in_order_and_one_per_poll() -> None:
    queue, _ = make()
    taken: list[str] = []
    for name in "abc":
        queue.offer(WorkItem(name, b""))
    for name in "abc":
        queue.fetch("w", lambda item: taken.append(item.invocation_id))
        assert queue.finish(name, "w", b"")
    assert taken == ["a", "b", "c"]


def test_a_waiting_worker_gets_an_item_the_moment_it_comes() -> None:
    queue, _ = make()
    taken: list[bytes] = []
    queue.fetch("w", lambda item: taken.append(item.payload))
    assert queue.is_waiting("w")
    queue.offer(WorkItem("a", b"x"))
    assert taken == [b"x"]
    assert not queue.is_waiting("w")


def test_a_poll_that_takes_several_gets_all_that_come_before_the_loop_turns() -> None:
    turns: list[Callable[[], object]] = []
    queue = WorkQueue(WorkBudget(), lambda: 0.0, turns.append)
    taken: list[list[str]] = []
    queue.fetch("w", lambda *items: taken.append([i.invocation_id for i in items]), 3)
    for name in "abcd":
        assert queue.offer(WorkItem(name, b""))
    assert (taken, len(turns)) == ([], 1)

    turns[0]()

    assert taken == [["a", "b", "c"]]
    assert [item.invocation_id for item in queue.in_hand_of("w")] == ["a", "b", "c"]
    assert queue.depth == 1, "what no poll has asked for waits"
    assert queue.lose_worker("w", b"gone") == 3


def test_several_items_are_bounded_by_bytes_behind_the_first() -> None:
    queue = WorkQueue(WorkBudget(), lambda: 0.0)
    taken: list[int] = []
    for _ in range(4):
        queue.offer(WorkItem(new_invocation_id(), bytes(MOST_BYTES // 2)))
    queue.fetch("w", lambda *items: taken.append(len(items)), 9)
    queue.fetch("w", lambda *items: taken.append(len(items)), 9)

    assert taken == [3, 1]


def test_of_several_free_workers_the_least_recently_used_gets_the_item() -> None:
    queue, _ = make()
    taken: list[str] = []
    for worker in ("w0", "w1", "w2"):
        queue.fetch(worker, lambda item: taken.append(item.worker))
    for name in "ab":
        queue.offer(WorkItem(name, b""))
    assert queue.finish("b", "w1", b"")
    queue.fetch("w1", lambda item: taken.append(item.worker))
    assert queue.finish("a", "w0", b"")
    queue.fetch("w0", lambda item: taken.append(item.worker))
    for name in "cde":
        queue.offer(WorkItem(name, b""))

    assert taken == ["w0", "w1", "w2", "w1", "w0"]


def test_above_the_limit_an_item_is_refused_until_one_is_answered() -> None:
    queue, budget = make(limit=1)
    assert queue.offer(WorkItem("a", b""))
    assert not queue.offer(WorkItem("b", b""))
    queue.fetch("w", lambda item: None)
    assert budget.free == 0, "an item in hand still counts"
    queue.finish("a", "w", b"")
    assert queue.offer(WorkItem("b", b""))


def test_an_item_of_a_dead_worker_is_lost_and_its_caller_told() -> None:
    queue, budget = make()
    told: list[tuple[bytes, str]] = []
    queue.offer(WorkItem("a", b"", reply=lambda payload, error: told.append((payload, error))))
    queue.offer(WorkItem("b", b""))
    queue.fetch("w", lambda item: None)
    assert queue.lose_worker("w", b"gone") == 1
    assert told == [(b"gone", UNHANDLED)]
    assert (queue.depth, budget.held) == (1, 1), "what waits survives into the replacement"


def test_a_worker_cannot_answer_for_another() -> None:
    queue, _ = make()
    queue.offer(WorkItem("a", b""))
    queue.fetch("w", lambda item: None)
    assert not queue.finish("a", "thief", b"")
    assert queue.finish("a", "w", b"", HANDLED)
    assert not queue.finish("a", "w", b""), "and nobody twice"
    assert queue.errors == 1


def test_an_abandoned_poll_does_not_cancel_a_newer_one() -> None:
    queue, _ = make()

    def old(item: WorkItem) -> None: ...
    def new(item: WorkItem) -> None: ...

    queue.fetch("w", old)
    queue.fetch("w", new)
    queue.stop_waiting("w", old)
    assert queue.is_waiting("w")
    queue.stop_waiting("w", new)
    assert not queue.is_waiting("w")


STEPS = st.lists(st.tuples(st.sampled_from("ofad"), st.integers(0, 2)), max_size=60)


@given(STEPS)
def test_whatever_happens_every_item_is_accounted_for(steps: list[tuple[str, int]]) -> None:
    queue, budget = make(limit=5)
    hands: dict[str, list[str]] = {}
    answered: list[str] = []
    offered = 0
    for step, number in steps:
        worker = f"w{number}"
        if step == "o":
            name = str(offered)
            reply = lambda payload, error, name=name: answered.append(name)  # noqa: E731
            offered += queue.offer(WorkItem(name, b"", reply=reply))
        elif step == "f":
            take = lambda item: hands.setdefault(item.worker, []).append(item.invocation_id)  # noqa: E731
            queue.fetch(worker, take)
        elif step == "a" and hands.get(worker):
            queue.finish(hands[worker].pop(), worker, b"")
        elif step == "d":
            queue.lose_worker(worker, b"")
            hands.pop(worker, None)
    assert budget.held == queue.held == offered - len(answered)
    assert 0 <= budget.held <= budget.limit
    assert len(set(answered)) == len(answered)
