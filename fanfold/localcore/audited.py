"""Acts of this command line that do not go through the core's HTTP, in the core's audit log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgecore.people.audit import COMMAND_LINE, Act, AuditLog
from edgecore.people.kept_file import KeptFileError
from fanfold.common import output
from fanfold.localcore.running import person


def act_of(what: str, detail: dict[str, Any], failed: str = "") -> Act:
    """Of whoever has this shell; ``failed``: why it did not work."""
    return Act(
        who=f"local:{person()}", role="admin", address=COMMAND_LINE, what=what,
        result="failed" if failed else "done", said=failed, detail=detail,
    )  # fmt: skip


def noted(state: Path, what: str, detail: dict[str, Any], *, failed: str = "") -> None:
    """An act that this command line did without the core's HTTP; warns where it cannot be noted."""
    try:
        AuditLog(state).add(act_of(what, detail, failed))
    except (OSError, KeptFileError) as error:
        output.warn(f"not in the audit log: {error}")
