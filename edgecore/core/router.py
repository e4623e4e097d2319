"""Subscriptions become deliveries. No IO of its own: targets do that.

A publisher is who its token or certificate says, never who the message claims. What no
subscription takes is counted and dropped, as AWS's core does silently.
"""

from __future__ import annotations

import base64
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol

from contract.topic_filters import TopicIndex
from edgecore.core.fault_points import active as faults_active
from edgecore.core.fault_points import fault
from edgecore.core.group import Subscription
from edgecore.core.observers import Observers
from edgecore.core.workqueue import WorkBudget, WorkItem, WorkQueue, new_invocation_id

log = logging.getLogger(__name__)

QueueFullPolicy = Literal["BestEffort", "AllOrError"]

MAX_UNROUTED = 256
MAX_UNROUTED_SHOWN = 10
CACHED_TOPICS_PER_SOURCE = 4096
"""Topics may hold ids and be endless; a full cache is thrown away whole."""


class Target(Protocol):
    """Where messages go. ``costs`` is how many work items one message takes."""

    costs: int

    def offer(self, source: str, topic: str, payload: bytes) -> Awaitable[object] | bool:
        """Deliver; True/False at once, or something to await before the sender is answered."""


@lru_cache(maxsize=4096)
def subject_context(topic: str) -> str:
    """The client context of a routed message, base64: handlers read ``custom.subject``."""
    context = {"client": {}, "custom": {"subject": topic}, "env": {}}
    return base64.b64encode(json.dumps(context).encode()).decode()


class FunctionTarget:
    """A function's queue as a target of subscriptions."""

    costs = 1

    def __init__(self, queue: WorkQueue) -> None:
        self.queue = queue

    def offer(self, source: str, topic: str, payload: bytes) -> bool:  # noqa: ARG002
        item = WorkItem(new_invocation_id(), payload, subject_context(topic))
        return self.queue.offer(item)


class RouteTable:
    """Targets by (source, topic), precompiled."""

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        entries: dict[str, list[tuple[str, str]]] = {}
        for subscription in subscriptions:
            pair = (subscription.subject, subscription.target)
            entries.setdefault(subscription.source, []).append(pair)
        self._index = {source: TopicIndex(pairs) for source, pairs in entries.items()}
        self._cache: dict[str, dict[str, tuple[str, ...]]] = {source: {} for source in entries}

    def targets(self, source: str, topic: str) -> tuple[str, ...]:
        """Who gets what ``source`` publishes on ``topic``; each target once."""
        cache = self._cache.get(source)
        if cache is None:
            return ()
        found = cache.get(topic)
        if found is None:
            if len(cache) >= CACHED_TOPICS_PER_SOURCE:
                cache.clear()
            found = cache[topic] = self._index[source].find(topic)
        return found


@dataclass(slots=True)
class Outcome:
    """What became of one publish; ``pending`` must be awaited before it is acknowledged."""

    delivered: int = 0
    refused: int = 0
    pending: list[Awaitable[object]] = field(default_factory=list)


@dataclass(slots=True)
class Counters:
    delivered: int = 0
    refused: int = 0
    unrouted: int = 0


class Router:
    """``publish`` is the hot path of the core: a dictionary look-up and an append per target."""

    def __init__(  # noqa: PLR0913 - clocks are arguments so that tests own them
        self,
        subscriptions: Iterable[Subscription],
        targets: Mapping[str, Target],
        budget: WorkBudget,
        *,
        observers: Observers,
        wall_clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], object]], object] | None = None,
    ) -> None:
        self._routes = RouteTable(subscriptions)
        self._targets = targets
        self._resolved: dict[tuple[str, ...], tuple[list[Target], int]] = {}
        self._budget = budget
        self._observers = observers
        self._wall_clock = wall_clock
        self._call_later = call_later
        self.counters = Counters()
        self.unrouted: Counter[tuple[str, str]] = Counter()
        """By (source, topic); beyond ``MAX_UNROUTED`` pairs the rest are one."""

    @property
    def budget(self) -> WorkBudget:
        return self._budget

    def publish(
        self, source: str, topic: str, payload: bytes, policy: QueueFullPolicy = "BestEffort"
    ) -> Outcome:
        """Deliver to every target of (source, topic).

        ``AllOrError``: to all of them or, where the core has no room for all, to none.
        """
        if faults_active():
            return self._publish_faulty(source, topic, payload, policy)
        return self._deliver(source, topic, payload, policy)

    def _deliver(self, source: str, topic: str, payload: bytes, policy: str) -> Outcome:
        outcome = Outcome()
        arns = self._routes.targets(source, topic)
        if not arns:
            self._count_unrouted(source, topic)
            return outcome
        targets, cost = self._resolved.get(arns) or self._resolve(arns)
        if policy == "AllOrError" and cost > self._budget.free:
            outcome.refused = len(targets)
            self.counters.refused += outcome.refused
            return outcome
        self._observers.see(self._wall_clock(), topic, payload, source)
        for target in targets:
            result = target.offer(source, topic, payload)
            if result is False:
                outcome.refused += 1
                continue
            outcome.delivered += 1
            if result is not True:
                outcome.pending.append(result)
        self.counters.delivered += outcome.delivered
        self.counters.refused += outcome.refused
        return outcome

    def _resolve(self, arns: tuple[str, ...]) -> tuple[list[Target], int]:
        """The targets of a route, and what one message to all of them takes of the budget."""
        targets = [self._targets[arn] for arn in arns if arn in self._targets]
        found = self._resolved[arns] = targets, sum(target.costs for target in targets)
        return found

    def _count_unrouted(self, source: str, topic: str) -> None:
        """Said once for each client and topic: a mistyped topic is acknowledged like any other."""
        self.counters.unrouted += 1
        pair = (source, topic)
        if pair not in self.unrouted and len(self.unrouted) >= MAX_UNROUTED:
            pair = ("", "")
        if pair not in self.unrouted:
            log.warning("no subscription takes %r from %s: it is dropped", topic, source)
        self.unrouted[pair] += 1

    def findings(self) -> list[str]:
        """What the operator should know of messages that nobody gets, most frequent first."""
        found = self.unrouted.most_common(MAX_UNROUTED_SHOWN)
        return [_unrouted_words(source, topic, count) for (source, topic), count in found]

    def _publish_faulty(self, source: str, topic: str, payload: bytes, policy: str) -> Outcome:
        action = fault("router.before_enqueue", source=source, topic=topic)
        if action is None:
            return self._deliver(source, topic, payload, policy)
        if action.kind == "drop":
            return Outcome(delivered=1)
        if action.kind == "refuse":
            self.counters.refused += 1
            return Outcome(refused=1)
        if action.kind == "delay" and self._call_later is not None:
            self._call_later(action.delay_s, lambda: self._deliver(source, topic, payload, policy))
            return Outcome(delivered=1)
        if action.kind == "duplicate":
            self._deliver(source, topic, payload, policy)
        return self._deliver(source, topic, payload, policy)


def _unrouted_words(source: str, topic: str, count: int) -> str:
    who = source.rpartition(":")[2].removeprefix("thing/") if source else "others"
    what = f"on {topic!r}" if topic else "on further topics"
    return (
        f"{who} has published {count} message(s) {what}, which no subscription takes: "
        "correct the topic, or deploy a subscription for it"
    )
