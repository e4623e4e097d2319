"""Fault injection: a core that fails on purpose (``--fault-plan``, docs/spec/fault-plan.md)."""

from edgecore.faultinjection.link import FaultySink
from edgecore.faultinjection.plan import FaultPlan, read_plan
from edgecore.faultinjection.schedule import FaultSchedule

__all__ = ["FaultPlan", "FaultSchedule", "FaultySink", "read_plan"]
