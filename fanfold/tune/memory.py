"""Staying clear of the device's memory limit while settings are tried. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHARE = 0.9
"""Of what may be used: the last tenth is the system's, whose own needs vary."""


@dataclass
class Memory:
    """`limit_kb`: what all processes of a setting may take together. `worker_kb`: the most that
    one worker is known to take: its footprint, or what was measured; 0: nothing is known."""

    limit_kb: float
    worker_kb: float = 0.0

    @classmethod
    def of(cls, usable_kb: float, available_kb: float, footprint_kb: float) -> Memory:
        """`usable_kb`: by the profile; `available_kb`: on this machine now."""
        return cls(SHARE * min(usable_kb, available_kb), footprint_kb)

    def refuses(self, workers: int) -> str:
        """Why so many workers are not started; empty where they fit."""
        need_kb = workers * self.worker_kb
        if need_kb <= self.limit_kb:
            return ""
        return (
            f"workers {workers}: {workers} × {_mb(self.worker_kb)} = {_mb(need_kb)}, above the "
            f"{_mb(self.limit_kb)} that a trial may take ({SHARE:.0%} of what is free here and "
            "in the profile). Free memory, or use a smaller package."
        )

    def measured(self, workers: int, row: Mapping[str, Any]) -> str:
        """Learns from a run; why its setting is refused after all, empty where it is not."""
        self.worker_kb = max(self.worker_kb, float(row.get("workers_pss_kb") or 0) / workers)
        took_kb = float(row.get("total_pss_kb") or 0)
        if took_kb <= self.limit_kb:
            return ""
        return f"workers {workers}: took {_mb(took_kb)}, above {_mb(self.limit_kb)}"


def _mb(kb: float) -> str:
    return f"{kb / 1024:.0f} MB"
