"""A core that behaves as badly as asked: ``--faults FILE`` (docs/spec/faults.md)."""

from edgecore.faults.hostile import HostilePlan
from edgecore.faults.link import BadLink
from edgecore.faults.plan import FaultPlan, read_plan

__all__ = ["BadLink", "FaultPlan", "HostilePlan", "read_plan"]
