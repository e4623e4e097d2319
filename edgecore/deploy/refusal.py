"""The deployment that was rolled back or could not be applied: not tried a second time.

Kept on disk, so that a restart of the core does not run it again; on a full disk in memory, as
going back must need no room.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from edgecore.disk import layout

log = logging.getLogger(__name__)

_unwritten: dict[Path, Refusal] = {}
"""By state directory, what its disk did not take."""


@dataclass(frozen=True)
class Refusal:
    """The id of a deployment, and why it is not wanted here."""

    deployment: str
    reason: str


def refuse(state: Path, deployment: str, reason: str) -> Refusal:
    refusal = Refusal(deployment, reason)
    path = layout.deployments(state) / layout.REFUSED_FILE
    _unwritten.pop(state, None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        layout.write_durably(path, json.dumps(asdict(refusal)) + "\n")
    except OSError as error:
        log.warning("%s: %s; the refusal holds until the core starts again", path, error.strerror)
        _unwritten[state] = refusal
    return refusal


def refused(state: Path) -> Refusal | None:
    """The last refusal; None before the first, or where the file is not readable."""
    if state in _unwritten:
        return _unwritten[state]
    try:
        text = (layout.deployments(state) / layout.REFUSED_FILE).read_text(encoding="utf-8")
        found = json.loads(text)
        return Refusal(str(found["deployment"]), str(found["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(state: Path) -> None:
    """The refused deployment may be tried again."""
    _unwritten.pop(state, None)
    (layout.deployments(state) / layout.REFUSED_FILE).unlink(missing_ok=True)
