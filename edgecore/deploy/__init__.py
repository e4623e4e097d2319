"""Which group runs here: applied atomically, the previous one kept to go back to."""

from edgecore.deploy.apply import (
    applied_at,
    apply,
    commit,
    current,
    is_uncommitted,
    last_readable,
    previous,
    rollback,
)
from edgecore.deploy.manager import DeploymentManager
from edgecore.deploy.refusal import Refusal, forget, refuse, refused
from edgecore.deploy.report import Reporter

__all__ = [
    "DeploymentManager",
    "Refusal",
    "Reporter",
    "applied_at",
    "apply",
    "commit",
    "current",
    "forget",
    "is_uncommitted",
    "last_readable",
    "previous",
    "refuse",
    "refused",
    "rollback",
]
