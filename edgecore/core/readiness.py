"""May traffic be sent here, and if not, why not: the meaning of ``/ready``.

``/live`` asks whether the core's own loop still answers; ``/ready`` asks whether an image
that is published now would be inspected. Both are functions of the status object, so the
page, the endpoint and the tests give the same verdict, and no change of the clock another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from contract.status import Status
from edgecore.core.reports import HEARTBEAT_LIMIT_S, STATS_LIMIT_S
from edgecore.core.stats import DRAINED, mapping, numbers, part, workers


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One cause of not being ready: what it is about, what is wrong, what to do.

    ``requested``: an operator asked for it: nothing is broken, and it does not end by itself.
    ``lasting``: this machine lacks something for a function; the others run without it.
    """

    subject: str
    problem: str
    remedy: str
    requested: bool = False
    lasting: bool = False

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def reasons_not_ready(status: Status) -> list[Reason]:
    """Every reason at once; empty means ready."""
    functions = list(_functions(status))
    named = {reason.subject.removeprefix("function ") for reason in functions}
    silent = list(_silent_workers(status, named))
    named |= {reason.subject.removeprefix("worker ") for reason in silent}
    return [
        *functions,
        *_images_volume(status),
        *_state_volume(status),
        *_spool(status),
        *_parts(status),
        *silent,
        *_workers(status, named),
        *_router(status),
    ]


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
                lasting=True,
            )
            continue
        problem, remedy = _STATE_WORDS.get(state, (f"is in state {state!r}", "read its log"))
        yield Reason(subject=f"function {function.get('id')}", problem=problem, remedy=remedy)


def _images_volume(status: Status) -> Iterator[Reason]:
    volume = mapping(part(status, "splitter").get("images_volume"))
    state, detail = volume.get("state"), volume.get("detail")
    if state == "away":
        yield Reason(
            subject="images volume",
            problem=f"is away: {detail}",
            remedy="mount it again: what was accepted waits, and goes on by itself",
        )
    elif state == "refuses":
        yield Reason(
            subject="images volume",
            problem=f"takes no new images: {detail}",
            remedy="make it writable again: cameras are told busy, and it is tried each second",
        )


def _state_volume(status: Status) -> Iterator[Reason]:
    for name in ("splitter", "aggregator"):
        volume = mapping(part(status, name).get("state_volume"))
        if volume.get("state") == "refuses":
            yield Reason(
                subject=f"state volume of the {name}",
                problem=f"takes nothing new in {volume.get('folder')}: {volume.get('detail')}",
                remedy="make room there, or make it writable: work waits, nothing is dropped, "
                "and it is tried each second",
            )


def _spool(status: Status) -> Iterator[Reason]:
    refusing = mapping(status.get("cloud")).get("refusing")
    if refusing:
        yield Reason(
            subject="cloud spool",
            problem=f"takes no messages: {refusing}",
            remedy="make room on the core's state disk, or repair it: results wait with the "
            "aggregator, and it is tried each second",
        )


def _silence(status: Status, kind: str) -> dict[str, float]:
    return numbers(mapping(status.get("silence_s")).get(kind))


def _parts(status: Status) -> Iterator[Reason]:
    """A Fanfold group reports stats; a group of somebody else has none and is not asked."""
    for name, age_s in _silence(status, "stats").items():
        if age_s > STATS_LIMIT_S:
            yield Reason(
                subject=name,
                problem=f"has sent no stats for {age_s:.0f} s (limit {STATS_LIMIT_S:.0f} s)",
                remedy="its process or the router is stuck: read its log, restart it",
            )


def _silent_workers(status: Status, named: Container[str]) -> Iterator[Reason]:
    """Also while a batch runs a worker beats, from a thread of its own."""
    for name, age_s in _silence(status, "heartbeats").items():
        if age_s > HEARTBEAT_LIMIT_S and name not in named:
            yield Reason(
                subject=f"worker {name}",
                problem=f"has sent no heartbeat for {age_s:.0f} s (limit {HEARTBEAT_LIMIT_S:g} s)",
                remedy="it is frozen or hung: it is replaced at its time limit; read its log",
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
