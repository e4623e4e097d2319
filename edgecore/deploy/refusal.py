"""The deployment that was rolled back or could not be applied: not tried a second time.

Kept on disk, so that a restart of the core does not run it again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from edgecore.disk import layout


@dataclass(frozen=True)
class Refusal:
    """The id of a deployment, and why it is not wanted here."""

    deployment: str
    reason: str


def refuse(state: Path, deployment: str, reason: str) -> Refusal:
    refusal = Refusal(deployment, reason)
    folder = layout.deployments(state)
    folder.mkdir(parents=True, exist_ok=True)
    layout.write_durably(folder / layout.REFUSED_FILE, json.dumps(asdict(refusal)) + "\n")
    return refusal


def refused(state: Path) -> Refusal | None:
    """The last refusal; None before the first, or where the file is not readable."""
    try:
        text = (layout.deployments(state) / layout.REFUSED_FILE).read_text(encoding="utf-8")
        found = json.loads(text)
        return Refusal(str(found["deployment"]), str(found["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(state: Path) -> None:
    """The refused deployment may be tried again."""
    (layout.deployments(state) / layout.REFUSED_FILE).unlink(missing_ok=True)
