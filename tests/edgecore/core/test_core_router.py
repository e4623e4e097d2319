from __future__ import annotations

import asyncio
import base64
import json

from edgecore.core import fault_points as faults
from edgecore.core.fault_points import Action
from edgecore.core.group import Subscription
from edgecore.core.observers import (
    MAX_KNOWN_TOPICS,
    MAX_WAITING_BYTES,
    Message,
    Observer,
    Observers,
)
from edgecore.core.router import MAX_UNROUTED, FunctionTarget, Router
from edgecore.core.workqueue import WorkBudget, WorkItem, WorkQueue


class Bench:
    """Functions f0, f1 and a device d, which anyone may reach from `a`."""

    def __init__(self, limit: int = 10) -> None:
        self.budget = WorkBudget(limit)
        self.queues = {f: WorkQueue(self.budget, lambda: 0.0) for f in ("f0", "f1")}
        self.observers = Observers()
        self.sent: list[tuple[str, bytes]] = []
        targets = {name: FunctionTarget(queue) for name, queue in self.queues.items()}
        rules = [("a", "x/+", "f0"), ("a", "x/#", "f1"), ("a", "x/1", "f0"), ("a", "y", "d")]
        subscriptions = [
            Subscription(id=str(n), source=s, subject=t, target=to)
            for n, (s, t, to) in enumerate(rules)
        ]
        self.router = Router(
            subscriptions,
            {**targets, "d": self},
            self.budget,
            observers=self.observers,
            wall_clock=lambda: 1.0,
        )

    costs = 0

    def offer(self, source: str, topic: str, payload: bytes) -> bool:
        self.sent.append((topic, payload))
        return True

    @property
    def depths(self) -> tuple[int, int]:
        return self.queues["f0"].depth, self.queues["f1"].depth


def test_each_target_gets_a_message_once_however_many_subscriptions_match() -> None:
    bench = Bench()
    outcome = bench.router.publish("a", "x/1", b"p")
    assert outcome.delivered == 2
    assert bench.depths == (1, 1)


def test_a_topic_that_nobody_takes_is_said_once_for_each_client_counted_and_shown(caplog) -> None:
    bench = Bench()
    for topic in ("x", "tpyo", "tpyo"):
        bench.router.publish("arn:aws:iot:r:1:thing/cam1", topic, b"p")

    told = [record.message for record in caplog.records if "no subscription" in record.message]
    assert len(told) == 2
    assert bench.router.findings()[0].startswith("cam1 has published 2 message(s) on 'tpyo'")


def test_endless_topics_that_nobody_takes_cost_bounded_memory_and_log(caplog) -> None:
    bench = Bench()
    for number in range(10 * MAX_UNROUTED):
        bench.router.publish("a", f"nobody/{number}", b"p")

    assert len(bench.router.unrouted) == MAX_UNROUTED + 1
    assert bench.router.unrouted.total() == 10 * MAX_UNROUTED
    assert len(caplog.records) == MAX_UNROUTED + 1


def test_the_source_is_enforced() -> None:
    bench = Bench()
    bench.router.publish("stranger", "x/1", b"p")
    assert bench.depths == (0, 0)
    assert bench.router.counters.unrouted == 1


def test_a_handler_is_told_the_topic() -> None:
    bench = Bench()
    bench.router.publish("a", "x/2/3", b"p")
    items: list[WorkItem] = []
    bench.queues["f1"].fetch("w", items.append)
    context = json.loads(base64.b64decode(items[0].context))
    assert context["custom"]["subject"] == "x/2/3"


def test_all_or_error_delivers_to_none_where_there_is_no_room_for_all() -> None:
    bench = Bench(limit=1)
    outcome = bench.router.publish("a", "x/1", b"p", "AllOrError")
    assert (outcome.delivered, outcome.refused) == (0, 2)
    assert bench.depths == (0, 0)


def test_best_effort_delivers_to_as_many_as_there_is_room_for() -> None:
    bench = Bench(limit=1)
    outcome = bench.router.publish("a", "x/1", b"p")
    assert (outcome.delivered, outcome.refused) == (1, 1)


def test_a_device_takes_messages_while_the_queue_is_full() -> None:
    bench = Bench(limit=0)
    assert bench.router.publish("a", "y", b"p", "AllOrError").delivered == 1
    assert bench.sent == [("y", b"p")]


def test_endless_topics_do_not_grow_the_route_cache(monkeypatch) -> None:
    monkeypatch.setattr("edgecore.core.router.CACHED_TOPICS_PER_SOURCE", 3)
    bench = Bench(limit=100)
    for n in range(20):
        bench.router.publish("a", f"x/{n}", b"")
    assert len(bench.router._routes._cache["a"]) <= 3
    assert bench.depths == (20, 20)


def test_the_last_stats_of_each_part_are_kept() -> None:
    observers = Observers()
    observers.see(0, "s/stats", b'{"part":"splitter","n":1}', "a")
    observers.see(0, "s/stats", b'{"part":"splitter","n":2}', "a")
    observers.see(0, "s/stats", b"not json", "a")
    assert observers.stats == {"splitter": {"part": "splitter", "n": 2}}


def test_a_fault_plan_drops_refuses_and_duplicates() -> None:
    kinds = iter(["drop", "refuse", "duplicate"])
    faults.install(lambda point, facts: Action(next(kinds)))
    try:
        bench = Bench()
        assert bench.router.publish("a", "x/1", b"").delivered == 1
        assert bench.depths == (0, 0)
        assert bench.router.publish("a", "x/1", b"").refused == 1
        bench.router.publish("a", "x/1", b"")
        assert bench.depths == (2, 2)
    finally:
        faults.install(None)


def test_an_observer_gets_what_its_filters_take_however_many_topics_pass() -> None:
    """What it remembers of topics is thrown away whole at its limit."""
    observer = Observer(["site/results/+"], capacity=3 * MAX_KNOWN_TOPICS)
    for n in range(2 * MAX_KNOWN_TOPICS):
        for topic in (f"site/results/cam{n}", f"site/work/w{n}"):
            observer.offer(Message(t=0.0, topic=topic, payload=b""))

    async def heard() -> list[str]:
        return [(await observer.next()).topic for _ in range(2 * MAX_KNOWN_TOPICS)]

    assert asyncio.run(heard()) == [f"site/results/cam{n}" for n in range(2 * MAX_KNOWN_TOPICS)]
    assert len(observer._wants) <= MAX_KNOWN_TOPICS


def test_an_observer_that_falls_behind_holds_32_mib_of_pictures_and_knows_what_it_lost() -> None:
    """By number alone they would be half a gigabyte of the core."""
    observer = Observer(["site/images/+"], capacity=4096)
    for n in range(1000):
        observer.offer(Message(t=n, topic="site/images/cam1", payload=bytes(128_000)))

    async def oldest() -> float:
        return (await observer.next()).t

    held = MAX_WAITING_BYTES // 128_000
    assert observer.lost == 1000 - held
    assert asyncio.run(oldest()) == 1000 - held
    observer.offer(Message(t=1000, topic="site/images/cam1", payload=bytes(128_000)))
    assert observer.lost == 1000 - held
