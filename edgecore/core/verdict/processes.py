"""The group's own processes: functions, parts, workers. Pure.

One worker that cannot work is a degraded site while another of its kind does; the splitter,
the aggregator, and every function of somebody else's group are needed.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contract.status import FunctionStatus, Reason, Status
from edgecore.core.reports import HEARTBEAT_LIMIT_S, STATS_LIMIT_S
from edgecore.core.stats import DRAINED, all_drained, mapping, numbers, part, workers
from edgecore.core.verdict.intake import is_full
from edgecore.core.verdict.reason import DEGRADED, DOWN, degraded, gate

PARTS = ("splitter", "aggregator")
WAITING = "waiting-for-a-job"
"""The deployment of a core that has joined and has had no job yet."""

STATES = {
    "starting": ("is still starting", "wait; its log shows what it is loading"),
    "backoff": ("died and waits to be restarted", "read its log for the last error"),
    "crash_loop": ("keeps dying: it is in a crash loop", "read its log, fix the cause, restart it"),
    "hung": (
        "is hung: it no longer answers",
        "it will be restarted after its timeout; read its log",
    ),
}
"""Of a function that does not run, what is wrong and what to do. Not "stopped": so is one that
nobody needs now, or one that cannot be started."""
_ENDED = ("backoff", "crash_loop")
_AGGREGATOR = {
    "asked": "has not agreed with the splitter on what is done: no image is taken before it has",
    "silent": "does not answer the splitter: results are not taken",
}
_ANSWERS = "it gets work again when it answers; restart it if it does not"
_UNFIT = {
    "unknown": (
        "has not been heard by the splitter yet and gets no work",
        "wait a moment after a start; if it is never heard, read its log, restart it",
    ),
    "blocked": (
        "cannot read images and gets no work",
        "it gets work again when it can; look at the images volume and at this machine's limits",
    ),
}


def process_reasons(status: Status) -> Iterator[Reason]:
    """But for those whose process has been named already: one cause is one reason."""
    if status.get("group", {}).get("running") is False:
        yield _nothing_runs()
        return
    yield from _waits(status)
    team = _Team.of(status)
    named: set[str] = set()
    for function in _broken(status):
        name = str(function.get("id"))
        named.add(name)
        yield _function(function, team.level(name))
    yield from _parts(status, named)
    for name, age_s in _silence(status, "heartbeats").items():
        if age_s > HEARTBEAT_LIMIT_S and name not in named:
            named.add(name)
            yield gate(
                team.level(name),
                "worker_silent",
                f"worker {name}",
                f"has sent no heartbeat for {age_s:.0f} s (limit {HEARTBEAT_LIMIT_S:g} s)",
                "it is frozen or hung: it is replaced at its time limit; read its log",
            )
    yield from _workers(status, team, named)


def _waits(status: Status) -> Iterator[Reason]:
    """Ready all the same: a launcher that asks whether this core works is told yes."""
    if status.get("group", {}).get("deployment") == WAITING:
        yield degraded(
            "waits_for_a_job",
            "core",
            "has no site yet: it waits for its first deployment, an AWS IoT job",
            "deploy a site to this thing: `fanfold deploy SITE`",
            requested=True,
        )


def _nothing_runs() -> Reason:
    return gate(
        DOWN,
        "no_group",
        "core",
        "runs no function now: a deployment is under way, or none could be started",
        "wait; its log and the list of deployments show more",
    )


@dataclass(frozen=True)
class _Team:
    """Who does the same work: fit ones replace one another. ``others`` are fed by workers."""

    ours: bool
    workers: frozenset[str]
    others: frozenset[str]
    fit: frozenset[str]

    @classmethod
    def of(cls, status: Status) -> _Team:
        functions = {str(f.get("id")): f for f in status.get("functions", [])}
        known = workers(status)
        beating = _silence(status, "heartbeats")
        names = {n for n, f in functions.items() if f.get("gpu_id") is not None}
        others = {n for n in {*beating, *names} if n not in known and n not in PARTS}
        broken = {str(f.get("id")) for f in _broken(status)}
        silent = {n for n, age_s in beating.items() if age_s > HEARTBEAT_LIMIT_S}
        unfit = {n for n, w in known.items() if w.get("state") != "ready"}
        return cls(
            ours=any(n in functions or n in _silence(status, "stats") for n in PARTS)
            or bool(known),
            workers=frozenset(known),
            others=frozenset(others),
            fit=frozenset((known.keys() | others) - broken - silent - unfit),
        )

    def level(self, name: str) -> str:
        """What it means that this one does not work."""
        if not self.ours or name in PARTS:
            return DOWN
        kind = self.others if name in self.others and name not in self.workers else self.workers
        if name not in self.workers and name not in self.others:
            return DEGRADED if self.fit else DOWN
        return DEGRADED if kind & self.fit else DOWN


def _broken(status: Status) -> Iterator[FunctionStatus]:
    for function in status.get("functions", []):
        state = function.get("state", "")
        counts = state in STATES and (function.get("pinned") or state in {"crash_loop", "hung"})
        if counts or not function.get("startable", True):
            yield function


def _function(function: FunctionStatus, level: str) -> Reason:
    subject = f"function {function.get('id')}"
    if not function.get("startable", True):
        return gate(
            level,
            "function_cannot_start",
            subject,
            str(function.get("last_error") or "cannot be started"),
            "give this machine what it lacks; it is tried again every minute",
            lasting=True,
        )
    state = function.get("state", "")
    problem, remedy = STATES[state]
    if state in _ENDED and function.get("last_error"):
        problem = f"{problem}: {function['last_error']}"
    return gate(level, f"function_{state}", subject, problem, remedy)


def _silence(status: Status, kind: str) -> dict[str, float]:
    return numbers(mapping(status.get("silence_s")).get(kind))


def _parts(status: Status, named: set[str]) -> Iterator[Reason]:
    """A Fanfold group reports stats; a group of somebody else has none and is not asked."""
    for name, age_s in _silence(status, "stats").items():
        if age_s > STATS_LIMIT_S and name not in named:
            named.add(name)
            yield gate(
                DOWN,
                "part_silent",
                name,
                f"has sent no stats for {age_s:.0f} s (limit {STATS_LIMIT_S:.0f} s)",
                "its process or the router is stuck: read its log, restart it",
            )
    running = {f.get("id") for f in status.get("functions", []) if f.get("state") == "running"}
    for name in PARTS:
        if name in running and not part(status, name):
            yield gate(
                DOWN,
                "part_not_reported",
                name,
                "has not reported yet",
                "wait a moment after a start; else read its log",
            )
    problem = _AGGREGATOR.get(str(part(status, "splitter").get("aggregator")))
    if problem and "aggregator" not in named and not is_full(status, "aggregator"):
        yield gate(
            DOWN,
            "aggregator_silent",
            "aggregator",
            problem,
            "wait a moment after a start; else read its log, restart it",
        )


def _workers(status: Status, team: _Team, named: Container[str]) -> Iterator[Reason]:
    """A worker is drained on an operator's request; images go to the others, if there are any."""
    known = workers(status)
    drained = [name for name, worker in known.items() if worker.get("state") in DRAINED]
    if all_drained(status):
        yield gate(
            DOWN,
            "all_drained",
            "all workers",
            "are drained by the operator: images are accepted and queued",
            "resume them: `fanfold drain --resume`, or on the dashboard",
            requested=True,
        )
    for name, worker in known.items():
        if name not in named and name not in drained and worker.get("state") != "ready":
            yield _worker(name, worker, team.level(name))


def _worker(name: str, worker: Mapping[str, Any], level: str) -> Reason:
    state = str(worker.get("state", "unknown"))
    problem, remedy = _UNFIT.get(state, (f"is {state} and gets no work", _ANSWERS))
    trouble = f": {worker['trouble']}" if worker.get("trouble") else ""
    return gate(level, "worker_not_ready", f"worker {name}", f"{problem}{trouble}", remedy)
