"""Whether evidence suffices to say that an alert of before a restart has ended. Pure.

A core that has just started has seen nothing yet: its windows are empty, its workers load, its
link is being made. ``judge`` finds nothing wrong then, and for such an alert that says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgecore.alerts.judge import Evidence
from edgecore.alerts.rules import Rule
from edgecore.core.stats import all_drained, mapping, number, part

SETTLES_S = 60.0
"""A worker that dies again, and a link that is not made, have shown it by then."""


def may_have_ended(rule: Rule, seen: Evidence, begun: float) -> bool:
    """Of a rule whose condition does not hold by ``seen``; ``begun``: when the core started, on
    the clock of its windows."""
    return _KINDS[rule.when](rule, seen, seen.now - begun)


def _no_results(rule: Rule, seen: Evidence, _up_s: float) -> bool:
    known = seen.windows.silent_s(rule.camera, seen.now) is not None
    return known or all_drained(seen.status)


def _window(rule: Rule, _seen: Evidence, up_s: float) -> bool:
    """As long as the images of before would have counted."""
    return up_s >= rule.window_s


def _backlog(_rule: Rule, seen: Evidence, _up_s: float) -> bool:
    return number(part(seen.status, "splitter").get("backlog")) is not None


def _settled(_rule: Rule, _seen: Evidence, up_s: float) -> bool:
    return up_s >= SETTLES_S


def _disk(_rule: Rule, seen: Evidence, up_s: float) -> bool:
    return bool(seen.disks) or up_s >= SETTLES_S


def _certificate(_rule: Rule, seen: Evidence, up_s: float) -> bool:
    return bool(seen.certificates) or up_s >= SETTLES_S


def _cloud_link(_rule: Rule, seen: Evidence, up_s: float) -> bool:
    link = mapping(mapping(seen.status.get("cloud")).get("link"))
    return bool(link.get("connected")) or up_s >= SETTLES_S


_KINDS: Mapping[str, Callable[[Rule, Evidence, float], bool]] = {
    "no_results": _no_results,
    "failed_share": _window,
    "label_seen": _window,
    "label_rate": _window,
    "backlog": _backlog,
    "worker_down": _settled,
    "disk": _disk,
    "certificate": _certificate,
    "cloud_link": _cloud_link,
}
