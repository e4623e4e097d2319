"""What speaks against a site: one cause with its level and its remedy. Pure."""

from __future__ import annotations

from contract.status import Reason

DOWN, DEGRADED, OK = "down", "degraded", "ok"


def down(code: str, subject: str, problem: str, remedy: str, **more: bool) -> Reason:
    """No image that is published now would be inspected."""
    return _reason(code, DOWN, subject, problem, remedy, **{"blocks": True, **more})


def degraded(code: str, subject: str, problem: str, remedy: str, **more: bool) -> Reason:
    """Images are inspected, and something is wrong."""
    return _reason(code, DEGRADED, subject, problem, remedy, **more)


def gate(level: str, code: str, subject: str, problem: str, remedy: str, **more: bool) -> Reason:
    """A fault of the group's own processes, which a new deployment's health gate waits for."""
    blocks = level == DOWN
    return _reason(
        code, level, subject, problem, remedy, **{"gate": True, "blocks": blocks, **more}
    )


def _reason(  # noqa: PLR0913 - the fields of a reason
    code: str,
    level: str,
    subject: str,
    problem: str,
    remedy: str,
    *,
    blocks: bool = False,
    requested: bool = False,
    lasting: bool = False,
    gate: bool = False,
) -> Reason:
    return {
        "code": code,
        "level": level,
        "subject": subject,
        "problem": problem,
        "remedy": remedy,
        "blocks": blocks,
        "requested": requested,
        "lasting": lasting,
        "gate": gate,
    }


def spell(seconds: float) -> str:
    """`40 s`, `5 min`, `30 h`, `3 days`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def size(count: float) -> str:
    """`512 KB`, `3.2 GB`."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"
