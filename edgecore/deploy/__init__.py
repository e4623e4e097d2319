"""Which group runs here: applied atomically, the previous one kept to go back to."""

from edgecore.deploy.apply import applied_at, apply, current, previous, rollback

__all__ = ["applied_at", "apply", "current", "previous", "rollback"]
