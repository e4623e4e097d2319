"""A core that behaves as badly as asked: ``--faults FILE`` (docs/spec/faults.md)."""

from edgecore.hostile.hostile import HostilePlan
from edgecore.hostile.link import BadLink
from edgecore.hostile.plan import FaultPlan, read_plan

__all__ = ["BadLink", "FaultPlan", "HostilePlan", "read_plan"]
