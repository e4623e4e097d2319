"""May traffic be sent here, and if not, why not: the meaning of ``/ready``.

``/live`` asks whether the core's own loop still answers; ``/ready`` asks whether an image
that is published now would be inspected. Both are functions of the status object and of the
time, so the page, the endpoint and the tests give the same answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from contract.status import Status
from edgecore.core.stats import DRAINED, mapping, number, part, workers

STATS_STALE_S = 10.0
"""Stats come once a second; ten missing ones are a part that no longer works."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One cause of not being ready: what it is about, what is wrong, what to do.

    ``requested``: an operator asked for it: nothing is broken, and it does not end by itself.
    """

    subject: str
    problem: str
    remedy: str
    requested: bool = False

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def reasons_not_ready(status: Status, now: float) -> list[Reason]:
    """Every reason at once; empty means ready. ``now`` is epoch seconds."""
    functions = list(_functions(status))
    named = {reason.subject.removeprefix("function ") for reason in functions}
    return [*functions, *_parts(status, now), *_workers(status, named), *_router(status)]


_STATE_WORDS = {
    "starting": ("is still starting", "wait; its log shows what it is loading"),
    "backoff": ("died and waits to be restarted", "read its log for the last error"),
    "crash_loop": ("keeps dying: it is in a crash loop", "read its log, fix the cause, restart it"),
    "hung": (
        "is hung: it no longer answers",
        "it will be restarted after its timeout; read its log",
    ),
    "stopped": ("is stopped", "restart it, or deploy a group without it"),
}


def _functions(status: Status) -> Iterator[Reason]:
    for function in status.get("functions", []):
        state = function.get("state", "")
        if state == "running" or not (function.get("pinned") or state in {"crash_loop", "hung"}):
            continue
        if not function.get("startable", True):
            yield Reason(
                subject=f"function {function.get('id')}",
                problem=str(function.get("last_error") or "cannot be started"),
                remedy="give this machine what it lacks; it is tried again every minute",
            )
            continue
        problem, remedy = _STATE_WORDS.get(state, (f"is in state {state!r}", "read its log"))
        yield Reason(subject=f"function {function.get('id')}", problem=problem, remedy=remedy)


def _parts(status: Status, now: float) -> Iterator[Reason]:
    """A Fanfold group reports stats; a group of somebody else has none and is not asked."""
    for name in mapping(status.get("stats")):
        sent = number(part(status, name).get("t"))
        age_s = now - (sent or now)
        if age_s > STATS_STALE_S:
            yield Reason(
                subject=name,
                problem=f"has sent no stats for {age_s:.0f} s (limit {STATS_STALE_S:.0f} s)",
                remedy="its process or the router is stuck: read its log, restart it",
            )


def _workers(status: Status, named: Container[str]) -> Iterator[Reason]:
    """But for those whose process has been named already: one cause is one reason.

    A worker is drained on an operator's request; images go to the others, while there are any.
    """
    known = workers(status)
    drained = [name for name, worker in known.items() if worker.get("state") in DRAINED]
    if known and len(drained) == len(known):
        yield Reason(
            subject="all workers",
            problem="are drained by the operator: images are accepted and queued",
            remedy="resume them: `fanfold drain --resume`, or on the dashboard",
            requested=True,
        )
    for name, worker in known.items():
        if name in named or name in drained:
            continue
        state = worker.get("state", "unknown")
        if not worker.get("model"):
            yield Reason(
                subject=f"worker {name}",
                problem="has no model loaded",
                remedy="wait until it reports its model; if it never does, read its log",
            )
        elif state != "ready":
            yield Reason(
                subject=f"worker {name}",
                problem=f"is {state} and gets no work",
                remedy="it gets work again when it answers; restart it if it does not",
            )


def _router(status: Status) -> Iterator[Reason]:
    router = status.get("router", {})
    items, limit = router.get("work_items", 0), router.get("limit", 0)
    if limit and items >= limit:
        yield Reason(
            subject="router",
            problem=f"queue is full: {items} of {limit} items, new messages are refused",
            remedy="a target is slower than its source: see the queues of the functions",
        )
