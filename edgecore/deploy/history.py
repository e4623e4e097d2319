"""What was deployed here and when: the last deployments, kept over restarts of the core."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from edgecore.disk import layout

log = logging.getLogger(__name__)

FILE = "deployments.jsonl"
KEPT = 100


class DeploymentHistory:
    """``{"deployment","t","outcome","version"[,"detail"]}``, oldest first; ``t`` epoch seconds."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self.entries = _read(self._path)

    def add(self, deployment: str, outcome: str, *, t: float, version: str, detail: str) -> None:
        """The same deployment applied again, at a core's restart, is no news.

        A disk that is full costs the entry on disk, never the deployment.
        """
        entry = {"deployment": deployment, "t": t, "outcome": outcome, "version": version}
        last = self.entries[-1] if self.entries else {}
        if outcome == "applied" and (last.get("deployment"), last.get("outcome")) == (
            deployment,
            outcome,
        ):
            return
        self.entries = [*self.entries, {**entry, "detail": detail} if detail else entry][-KEPT:]
        try:
            layout.write_durably(self._path, "".join(f"{json.dumps(e)}\n" for e in self.entries))
        except OSError as error:
            log.warning("%s: %s; the history is kept in memory", self._path, error.strerror)


def _read(path: Path) -> list[dict[str, Any]]:
    """Lines that are not of ours are left out: history is for people, and never stops a core."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines[-KEPT:]:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and {"deployment", "t", "outcome"} <= entry.keys():
            found.append(entry)
    return found
