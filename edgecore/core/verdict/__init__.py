"""One verdict on a site: ``ok``, ``degraded`` or ``down``, with its reasons. Pure.

``judge`` reads the status object and nothing else. The core judges once for each status that it
makes; `/ready`, the page, the metrics, the command line, the alerts and the report to the cloud
read that (``verdict_of``) and never say different things (docs/spec/verdict.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from contract.status import Reason, Status, Verdict
from edgecore.core.verdict.cameras import camera_reasons
from edgecore.core.verdict.cloud import cloud_reasons
from edgecore.core.verdict.images import image_reasons
from edgecore.core.verdict.intake import intake_reasons
from edgecore.core.verdict.machine import machine_reasons
from edgecore.core.verdict.processes import process_reasons
from edgecore.core.verdict.reason import DEGRADED, DOWN, OK
from edgecore.core.verdict.watch import watch_reasons

__all__ = ["DEGRADED", "DOWN", "OK", "gate_reasons", "judge", "verdict_of"]


def judge(status: Status) -> Verdict:
    """Of a whole or a partial status; stray values count as absent, and nothing raises."""
    reasons = [
        *intake_reasons(status),
        *process_reasons(status),
        *image_reasons(status),
        *camera_reasons(status),
        *machine_reasons(status),
        *cloud_reasons(status),
        *watch_reasons(status),
    ]
    reasons.sort(key=lambda reason: reason["level"] != DOWN)
    return {
        "state": _worst(reasons),
        "ready": not any(reason["blocks"] for reason in reasons),
        "reasons": reasons,
    }


def verdict_of(status: Status) -> Verdict:
    """What the core judged when it made this status; judged here where it has none, as of a core
    that is older. Readers do not judge: two of them would say two things of one moment."""
    return status["verdict"] if "verdict" in status else judge(status)


def gate_reasons(status: Status) -> list[Reason]:
    """Those that the health gate of a new deployment waits for, of evidence that it chose."""
    return [reason for reason in judge(status)["reasons"] if reason["gate"]]


def _worst(reasons: Iterable[Reason]) -> str:
    levels = {reason["level"] for reason in reasons}
    return DOWN if DOWN in levels else DEGRADED if DEGRADED in levels else OK
