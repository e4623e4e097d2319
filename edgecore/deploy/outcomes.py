"""What becomes of each deployment: on disk, in the history, and told to whoever sent it.

The manager decides; here each decision is written down and reported in the same order.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecore.core.verdict.processes import WAITING
from edgecore.deploy import trial
from edgecore.deploy.apply import (
    apply,
    commit,
    is_uncommitted,
    last_readable,
    previous,
    rollback,
)
from edgecore.deploy.history import DeploymentHistory
from edgecore.deploy.interfaces import Report
from edgecore.deploy.refusal import refuse

if TYPE_CHECKING:
    from edgecore.sources.load import LoadedGroup

log = logging.getLogger(__name__)


class Outcomes:
    """``report`` is called with how each deployment ended."""

    def __init__(self, state: Path, report: Report) -> None:
        self.history = DeploymentHistory(state)
        self._state, self._report = state, report

    def apply(self, loaded: LoadedGroup, *, uncommitted: bool) -> LoadedGroup:
        """What replaces another group is on trial from here on."""
        before = last_readable(self._state)
        if before and before.content != loaded.content and before.deployment_id != WAITING:
            return apply(self._state, loaded, uncommitted=uncommitted, prepare=trial.begin)
        return apply(self._state, loaded, uncommitted=uncommitted)

    def adopt(self, loaded: LoadedGroup) -> LoadedGroup:
        """Only the deployment's id is new."""
        applied = apply(self._state, loaded)
        self.remember(applied, "already running")
        self._report(applied.deployment_id, "Success", "")
        return applied

    def is_uncommitted(self) -> bool:
        return is_uncommitted(self._state)

    def before(self) -> LoadedGroup | None:
        """The group that was committed before the current one."""
        return previous(self._state)

    def way_back(self) -> LoadedGroup | None:
        """The group to go back to while the current one is uncommitted."""
        return self.before() if self.is_uncommitted() else None

    def commit(self, loaded: LoadedGroup) -> None:
        commit(self._state)
        self._report(loaded.deployment_id, "Success", "")

    def refuse(self, deployment_id: str, reason: str) -> None:
        """A deployment that cannot be loaded, or is not wanted."""
        log.error("deployment %s is refused: %s", deployment_id, reason)
        refuse(self._state, deployment_id, reason)
        self.history.add(deployment_id, "refused", t=time.time(), version="", detail=reason)
        self._report(deployment_id, "Failure", reason)

    def stay(self, current: LoadedGroup, problem: str) -> None:
        """Nothing to go back to, or it worked before: its functions are tried on."""
        log.error("deployment %s is not healthy: %s", current.deployment_id, problem)
        self.remember(current, "not healthy", problem)
        if self.is_uncommitted():
            reason = f"{problem}. There is no earlier deployment to go back to"
            self._report(current.deployment_id, "Failure", reason)

    def roll_back(self) -> LoadedGroup:
        """The previous deployment is the current one from here on; returns that."""
        return rollback(self._state)

    def give_up(self, failed: LoadedGroup, problem: str, before: LoadedGroup) -> None:
        """Refuse a deployment in whose place the one before it was put back."""
        log.error("deployment %s is rolled back: %s", failed.deployment_id, problem)
        refuse(self._state, failed.deployment_id, problem)
        self.remember(failed, "rolled back", problem)
        back = f"{problem}. The core went back to deployment {before.deployment_id}"
        self._report(failed.deployment_id, "Failure", back)

    def remember(self, loaded: LoadedGroup, outcome: str, detail: str = "") -> None:
        self.history.add(
            loaded.deployment_id,
            outcome,
            t=time.time(),
            version=loaded.group.version,
            detail=detail,
        )
