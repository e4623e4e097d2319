"""What a core found about its machine and its group is said once, and again when it changes.

Which were said is kept beside the core's state, for the process that found them: after a start
all are said anew.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from fanfold.common import output
from fanfold.localcore.running import RunningCore

_TOLD = "findings-told.json"


def report(core: RunningCore, findings: Iterable[str]) -> None:
    """The new ones in full, and how many there are."""
    found = list(map(str, findings))
    for finding in news(core, found):
        output.warn(finding)
    if found:
        count = "1 finding" if len(found) == 1 else f"{len(found)} findings"
        output.note(f"{count}: fanfold status {core.state.name} --findings")


def news(core: RunningCore, findings: Iterable[str]) -> list[str]:
    """Those that nobody was told of since this core's start; now they are told.

    One that ended and comes back is new again. Whose state folder cannot be written is told all.
    """
    path, found = core.state / _TOLD, list(findings)
    told = _read(path, core.pid)
    with contextlib.suppress(OSError):
        path.write_text(json.dumps({"pid": core.pid, "told": found}), encoding="utf-8")
    return [finding for finding in found if finding not in told]


def _read(path: Path, pid: int) -> set[str]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return set(map(str, kept["told"])) if kept["pid"] == pid else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
