"""What the splitter says of itself: its stats once a second, and its part of the health report."""

from __future__ import annotations

from typing import Any, Protocol

from contract import messages as m
from lambdas.common.state_volume import StateVolume
from lambdas.splitter.admission import Admission
from lambdas.splitter.backlog import Backlog
from lambdas.splitter.credit import Credit
from lambdas.splitter.custody import Custody
from lambdas.splitter.dispatch import Dispatch
from lambdas.splitter.journal import Journal
from lambdas.splitter.leftovers import Leftovers
from lambdas.splitter.link import Link
from lambdas.splitter.volume import Volume


class Parts(Protocol):
    """The parts that something is told of."""

    admission: Admission
    backlog: Backlog
    credit: Credit
    custody: Custody
    dispatch: Dispatch
    done: int
    journal: Journal
    leftovers: Leftovers
    link: Link
    state_volume: StateVolume
    volume: Volume


def stats_of(splitter: Parts, now: float, wall: float) -> dict[str, Any]:
    """The body of a stats message (docs/spec/messages.md)."""
    credit = splitter.credit
    stats: dict[str, Any] = {
        "v": m.VERSION,
        "part": "splitter",
        "t": round(wall, 3),
        **splitter.admission.counters(),
        "backlog": splitter.backlog.outstanding,
        "inflight": sum(w.load for w in credit.workers.values()),
        "redispatched": splitter.dispatch.redispatched,
        "done": splitter.done,
        "aggregator": splitter.link.state(now),
        "numbers": {**splitter.link.describe(), **splitter.leftovers.describe()},
        "images_volume": splitter.volume.describe(),
        "state_volume": splitter.state_volume.describe(),
        "disk": splitter.admission.full.describe(now),
        "custody": splitter.custody.describe(),
        "workers": {w.name: credit.describe(w) for w in credit.workers.values()},
    }
    if splitter.journal.salvage:
        stats["salvage"] = splitter.journal.salvage.for_stats()
    return stats


def counted(splitter: Parts) -> tuple[dict[str, int], dict[str, int]]:
    """Counters and levels of the health report."""
    workers = splitter.credit.workers.values()
    counters = {
        "accepted": splitter.admission.accepted,
        "rejected": sum(splitter.admission.answers.rejected.values()),
        "redispatched": splitter.dispatch.redispatched,
        "worker_restarts": splitter.credit.restarts,
    }
    levels = {
        "backlog": splitter.backlog.outstanding,
        "workers": len(workers),
        "workers_ready": sum(worker.state == "ready" for worker in workers),
    }
    return counters, levels
