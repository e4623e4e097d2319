"""A new model answers copies of live images beside the one that serves (docs/spec/canary.md)."""

from edgecore.canary.canaries import Canaries
from edgecore.canary.canary import Parts
from edgecore.canary.report import ReportStore

__all__ = ["Canaries", "Parts", "ReportStore"]
