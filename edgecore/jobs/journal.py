"""What this device is doing about a job, on disk before it is done; and what became of others.

``jobs/current.json``: the job in hand; ``jobs/done.jsonl``: the last ones that ended here.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgecore.disk.layout import write_durably
from edgecore.uplink.iot.waiting import since_boot_s

log = logging.getLogger(__name__)

KEPT = 200


@dataclass
class JobRecord:
    """``version``: the execution's in the cloud. ``status``: set once it is decided.
    ``spent_s``: what was worked on it, whatever the wall clock did meanwhile."""

    job_id: str
    execution: int
    version: int
    document: dict[str, Any]
    began_at: float
    step: str = "taken"
    status: str = ""
    reason: str = ""
    spent_s: float = 0.0

    @property
    def deployment_id(self) -> str:
        return f"job-{self.job_id}-{self.execution}"


@dataclass
class Done:
    job_id: str
    execution: int
    status: str
    reason: str
    issued_at: float = 0.0


@dataclass
class Journal:
    folder: Path
    current: JobRecord | None = None
    done: list[Done] = field(default_factory=list)
    _counted_at: float = field(default_factory=since_boot_s)

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """What cannot be read is as if it were not there: the cloud knows the job."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, _read_current(folder), _read_done(folder))

    def write(self, record: JobRecord) -> None:
        now = since_boot_s()
        if record is self.current:
            record.spent_s += now - self._counted_at
        self.current, self._counted_at = record, now
        write_durably(self.folder / "current.json", json.dumps(asdict(record)))

    def spent_s(self) -> float:
        """On the current job, up to now."""
        return self.current.spent_s + since_boot_s() - self._counted_at if self.current else 0.0

    def finish(self, issued_at: float) -> None:
        """The cloud has heard how the current job ended, or took it back."""
        record = self.current
        if record is None:
            return
        ended = Done(record.job_id, record.execution, record.status, record.reason, issued_at)
        done = [*self.done, ended][-KEPT:]
        lines = "".join(f"{json.dumps(asdict(each))}\n" for each in done)
        write_durably(self.folder / "done.jsonl", lines)
        self.done = done
        (self.folder / "current.json").unlink(missing_ok=True)
        self.current = None

    def ended(self, job_id: str, execution: int) -> Done | None:
        found = [d for d in self.done if (d.job_id, d.execution) == (job_id, execution)]
        return found[-1] if found else None

    @property
    def newest_issued_at(self) -> float:
        """Of the deployments that jobs brought here; 0 before the first."""
        return max((d.issued_at for d in self.done if d.status == "SUCCEEDED"), default=0.0)


def _read_current(folder: Path) -> JobRecord | None:
    try:
        return JobRecord(**json.loads((folder / "current.json").read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s: not readable (%s); the cloud is asked", folder / "current.json", error)
        return None


def _read_done(folder: Path) -> list[Done]:
    found = []
    try:
        lines = (folder / "done.jsonl").read_text().splitlines()
    except OSError:
        return []
    for line in lines[-KEPT:]:
        try:
            found.append(Done(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found
