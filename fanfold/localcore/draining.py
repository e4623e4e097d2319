"""A drain seen from outside: what the splitter's stats say of the workers that were asked.

Pure; the messages are docs/spec/messages.md, Control and Stats.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract.status import Status
from edgecore.core.stats import is_drained, number, part, workers
from fanfold.common.errors import INVALID, MISSING, UserError


@dataclass(frozen=True)
class WorkerState:
    """A worker as the splitter sees it; `inflight` in images."""

    name: str
    state: str
    inflight: int
    drained: bool

    def __str__(self) -> str:
        images = "image" if self.inflight == 1 else "images"
        return f"{self.name} ({self.state}, {self.inflight} {images} in progress)"


@dataclass(frozen=True)
class Picture:
    """One report of the splitter. `t`: its own clock; `backlog`: images without a result."""

    t: float
    backlog: int
    workers: tuple[WorkerState, ...]

    def of(self, names: Sequence[str]) -> Picture:
        return Picture(self.t, self.backlog, tuple(w for w in self.workers if w.name in names))

    def taken(self, *, drain: bool) -> bool:
        """Whether the splitter has acted on what was asked."""
        return all(worker.drained == drain for worker in self.workers)

    def left(self, *, drain: bool) -> list[WorkerState]:
        """Who is not yet as wished: a drained worker holds nothing, a resumed one may."""
        return [w for w in self.workers if w.drained != drain or (drain and w.inflight)]


def picture(status: Status) -> Picture | None:
    """The splitter's last report in the core's status; None while there is none."""
    fed = tuple(_worker_state(name, worker) for name, worker in sorted(workers(status).items()))
    if not fed:
        return None
    splitter = part(status, "splitter")
    return Picture(number(splitter.get("t")) or 0.0, int(number(splitter.get("backlog")) or 0), fed)


def _worker_state(name: str, worker: Mapping[str, Any]) -> WorkerState:
    inflight = int(number(worker.get("inflight")) or 0)
    return WorkerState(name, str(worker.get("state", "unknown")), inflight, is_drained(worker))


def seen(status: Status, site: str) -> Picture:
    """As `picture`; raises UserError (exit code 3) where no splitter has reported."""
    found = picture(status)
    if found is None:
        raise UserError(
            f"the splitter of {site} has not reported its workers yet. Try again in some seconds; "
            "if it stays so: fanfold logs splitter",
            MISSING,
        )
    return found


def chosen(names: Iterable[str], status: Status, found: Picture) -> list[str]:
    """The workers that are meant, without names all; UserError (exit code 2) for a stranger."""
    known = [worker.name for worker in found.workers]
    wanted = list(dict.fromkeys(names)) or known
    functions = {function["id"] for function in status["functions"]}
    for name in wanted:
        if name in known:
            continue
        why = (
            "does not get its work from the splitter"
            if name in functions
            else "does not exist at this site"
        )
        raise UserError(f"worker {name!r} {why}; workers: {', '.join(known)}", INVALID)
    return wanted


def control(names: Sequence[str], *, drain: bool) -> bytes:
    """The message for `{site}/control`; without names all workers."""
    asked: dict[str, Any] = {"v": 1, "drain": drain}
    return json.dumps(asked | ({"workers": list(names)} if names else {})).encode()
