"""Whether each rule's condition holds, from evidence: one function for each kind. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contract.status import Status
from edgecore.alerts.rules import Rule
from edgecore.alerts.windows import Windows
from edgecore.core.stats import all_drained, mapping, number, part
from edgecore.core.verdict import verdict_of

DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """``now``: the clock of ``windows``; on it ``started``, and ``drained``: when the operator's
    wish that nobody inspects anything was last seen. ``disks``: folder → share used,
    ``certificates``: file → seconds that it is still valid."""

    status: Status
    windows: Windows
    now: float
    started: float
    drained: float | None = None
    disks: Mapping[str, float] = field(default_factory=dict)
    certificates: Mapping[str, float] = field(default_factory=dict)


def judge(rule: Rule, seen: Evidence) -> str | None:
    """What is wrong, in words; None: nothing, or nobody knows."""
    return _KINDS[rule.when](rule, seen)


def _no_results(rule: Rule, seen: Evidence) -> str | None:
    """The waiting is in the measure itself: ``for_s`` without a result, and without an operator
    who wants none."""
    silent_s = seen.windows.silent_s(rule.camera, seen.now)
    if silent_s is None:
        silent_s = seen.now - seen.started
    if seen.drained is not None:
        silent_s = min(silent_s, seen.now - seen.drained)
    if all_drained(seen.status) or silent_s < rule.for_s:
        return None
    return f"no result{_of(rule)} for {silent_s:.0f} s (limit {rule.for_s:.0f} s)"


def _failed_share(rule: Rule, seen: Evidence) -> str | None:
    counted = seen.windows.images(rule.camera, rule.window_s, seen.now)
    images = sum(counted.values())
    if images < max(rule.at_least, 1) or counted["failed"] / images <= rule.above:
        return None
    share = counted["failed"] / images
    return (
        f"{counted['failed']} of {images} images{_of(rule)} failed in {rule.window_s:.0f} s: "
        f"{share:.1%} (limit {rule.above:.1%})"
    )


def _label_seen(rule: Rule, seen: Evidence) -> str | None:
    count = seen.windows.label(rule.camera, rule.label, rule.window_s, seen.now)
    if count < max(rule.at_least, 1):
        return None
    return f"label {rule.label}{_of(rule)} on {count} image(s) in {rule.window_s:.0f} s"


def _label_rate(rule: Rule, seen: Evidence) -> str | None:
    images = seen.windows.images(rule.camera, rule.window_s, seen.now)["ok"]
    count = seen.windows.label(rule.camera, rule.label, rule.window_s, seen.now)
    if images < max(rule.at_least, 1) or count / images <= rule.above:
        return None
    return (
        f"label {rule.label}{_of(rule)} on {count} of {images} images in {rule.window_s:.0f} s: "
        f"{count / images:.1%} (limit {rule.above:.1%})"
    )


def _backlog(rule: Rule, seen: Evidence) -> str | None:
    backlog = number(part(seen.status, "splitter").get("backlog"))
    if backlog is None or backlog <= rule.above:
        return None
    return f"{backlog:.0f} images are waiting (limit {rule.above:.0f})"


def _worker_down(_rule: Rule, seen: Evidence) -> str | None:
    """But for what an operator asked for."""
    found = [
        f"{reason['subject']} {reason['problem']}"
        for reason in verdict_of(seen.status)["reasons"]
        if reason["subject"].startswith(("worker ", "function ")) and not reason["requested"]
    ]
    return "; ".join(found[:5]) or None


def _disk(rule: Rule, seen: Evidence) -> str | None:
    full = [f"{d} is {used:.0%} full" for d, used in seen.disks.items() if used * 100 > rule.above]
    return f"{'; '.join(full)} (limit {rule.above:.0f} %)" if full else None


def _certificate(rule: Rule, seen: Evidence) -> str | None:
    ending = [
        f"{file} {'has expired' if left_s <= 0 else f'expires in {left_s / DAY_S:.1f} days'}"
        for file, left_s in seen.certificates.items()
        if left_s < rule.days * DAY_S
    ]
    return "; ".join(ending) or None


def _cloud_link(_rule: Rule, seen: Evidence) -> str | None:
    """A core without an uplink has no link that could be down."""
    cloud = mapping(seen.status.get("cloud"))
    connected = mapping(cloud.get("link")).get("connected")
    if connected is None or connected:
        return None
    waiting = number(cloud.get("spooled")) or 0
    why = mapping(cloud.get("link")).get("message") or "no connection"
    return f"the cloud is not reached: {why}; {waiting:.0f} messages wait"


def _of(rule: Rule) -> str:
    return f" of {rule.camera}" if rule.camera else ""


_KINDS: dict[str, Callable[[Rule, Evidence], str | None]] = {
    "no_results": _no_results,
    "failed_share": _failed_share,
    "label_seen": _label_seen,
    "label_rate": _label_rate,
    "backlog": _backlog,
    "worker_down": _worker_down,
    "disk": _disk,
    "certificate": _certificate,
    "cloud_link": _cloud_link,
}
SELF_TIMED = frozenset({"no_results"})
"""Kinds whose ``for_s`` is part of the condition."""
