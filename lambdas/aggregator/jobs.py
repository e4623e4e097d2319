"""A machine that passes the cameras: its images counted into one summary.

A job is complete when every stream that showed it has shown its `last`, and every number
up to that one has its record. The summary then waits a moment for a further stream.
"""

from __future__ import annotations

from typing import Any, Callable

MAX_LABELS = 1_000
MAX_JOBS = 10_000


class Jobs:
    """State is plain JSON data, one object per job, so that it lies in the store as it is."""

    def __init__(self, state: dict[str, Any], linger_s: float) -> None:
        self.open = state
        self.changed: set[str] = set()
        self._linger_s = linger_s
        self._complete_since: dict[str, float] = {}

    def count(self, record: dict[str, Any], wall: float) -> None:
        """One terminal record; gaps are counted by `gap`."""
        name = record.get("job")
        if not isinstance(name, str):
            return
        job = self._job(name, record, wall)
        job["images"] += 1
        job[record["status"]] += 1
        for label in _labels(record):
            if label in job["labels"] or len(job["labels"]) < MAX_LABELS:
                job["labels"][label] = job["labels"].get(label, 0) + 1
        seq = record["seq"]
        stream = job["streams"].setdefault(record["stream"], {"first_seq": seq, "last_seq": None})
        stream["first_seq"] = min(stream["first_seq"], seq)
        if record.get("last"):
            stream["last_seq"] = max(seq, stream["last_seq"] or 0)
        job["ended"] = round(wall, 3)
        self.changed.add(name)

    def late(self, record: dict[str, Any]) -> None:
        """A record whose place had been announced as a gap."""
        name = record.get("job")
        job = self.open.get(name) if isinstance(name, str) else None
        if job:
            job["gaps"] += 1

    def finished(self, low_watermark: Callable[[str], int], now: float) -> list[dict[str, Any]]:
        """Summaries of the jobs that are complete; they are forgotten here."""
        summaries = []
        for name, job in list(self.open.items()):
            if not _complete(job, low_watermark):
                self._complete_since.pop(name, None)
            elif now - self._complete_since.setdefault(name, now) >= self._linger_s:
                summaries.append(dict(job, job=name))
                del self.open[name], self._complete_since[name]
                self.changed.add(name)
        return summaries

    def take_changed(self) -> list[tuple[str, Any]]:
        """What the store must learn: (job, state), None for a job that is over."""
        changed = [(name, self.open.get(name)) for name in sorted(self.changed)]
        self.changed.clear()
        return changed

    def _job(self, name: str, record: dict[str, Any], wall: float) -> Any:
        if name not in self.open:
            while len(self.open) >= MAX_JOBS:
                # A job whose `last` never comes must not fill the memory for ever.
                oldest = next(iter(self.open))
                del self.open[oldest]
                self.changed.add(oldest)
            self.open[name] = {
                "streams": {}, "images": 0, "ok": 0, "failed": 0, "dropped": 0, "gaps": 0,
                "labels": {}, "started": record.get("t_in") or round(wall, 3),
            }  # fmt: skip
        return self.open[name]


def _complete(job: dict[str, Any], low_watermark: Callable[[str], int]) -> bool:
    return all(
        stream["last_seq"] is not None and low_watermark(name) >= stream["last_seq"]
        for name, stream in job["streams"].items()
    )


def _labels(record: dict[str, Any]) -> list[str]:
    output = record.get("output")
    if not isinstance(output, dict):
        return []
    best = output.get("top")
    found = best[:1] if isinstance(best, list) else output.get("boxes")
    if not isinstance(found, list):
        return []
    return [str(f.get("label"))[:128] for f in found if isinstance(f, dict)]
