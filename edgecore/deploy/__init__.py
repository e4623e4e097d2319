"""Which group runs here: applied atomically, the previous one kept to go back to."""

from edgecore.deploy.apply import applied_at, apply, current, is_on_trial, previous, prove, rollback
from edgecore.deploy.manager import Exchange
from edgecore.deploy.refusal import Refusal, refuse, refused
from edgecore.deploy.report import Reporter

__all__ = [
    "Exchange",
    "Refusal",
    "Reporter",
    "applied_at",
    "apply",
    "current",
    "is_on_trial",
    "previous",
    "prove",
    "refuse",
    "refused",
    "rollback",
]
