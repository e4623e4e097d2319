"""Which of the pending jobs is run, and what is said about the others. Pure.

A device that was off for a month finds its whole history queued: the newest deployment that is
meant for it is the only sensible one, and it is run once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from edgecore.jobs.document import JobDocument, JobRefused, parse
from edgecore.jobs.journal import Done, Journal


@dataclass(frozen=True)
class Pending:
    """One execution, described. ``document`` None: refused, and ``reason`` says why."""

    job_id: str
    execution: int
    version: int
    content: Mapping[str, Any]
    document: JobDocument | None
    reason: str = ""


@dataclass(frozen=True)
class Choice:
    """``run`` at most one; ``tell``: executions with the status and reason for each."""

    run: Pending | None
    tell: tuple[tuple[Pending, str, str], ...]


def pending(execution: Mapping[str, Any], *, site: str) -> Pending:
    """From an answer to ``{jobId}/get``."""
    content = execution.get("jobDocument")
    facts = (
        str(execution.get("jobId")),
        int(execution.get("executionNumber") or 0),
        int(execution.get("versionNumber") or 0),
        content if isinstance(content, Mapping) else {},
    )
    try:
        return Pending(*facts, parse(content, site=site))
    except JobRefused as refusal:
        return Pending(*facts, None, str(refusal))


def choose(found: Sequence[Pending], journal: Journal) -> Choice:
    """``found`` oldest first, as the cloud queues them."""
    tell: list[tuple[Pending, str, str]] = []
    candidates: list[Pending] = []
    for one in found:
        before = journal.ended(one.job_id, one.execution)
        if before is not None and before.status:
            tell.append((one, *_again(before)))
        elif one.document is None:
            tell.append((one, "REJECTED", one.reason))
        elif one.document.issued_at < journal.newest_issued_at:
            tell.append((one, "REJECTED", "superseded: a job that was issued later "
                f"({_date(journal.newest_issued_at)}) has run here"))  # fmt: skip
        else:
            candidates.append(one)
    newest = max(candidates, key=_issued_at, default=None)
    for one in candidates:
        if newest is not None and one is not newest:
            tell.append((one, "REJECTED", f"superseded by job {newest.job_id}"))
    return Choice(newest, tuple(tell))


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _again(before: Done) -> tuple[str, str]:
    return before.status, before.reason or "as told before"


def _issued_at(one: Pending) -> float:
    return one.document.issued_at if one.document else 0.0
