"""One site of the fleet: its verdict with the reasons, from what is known and deployed. Pure.

`ok` needs a core that says so itself, lately. A site of which nothing is heard is `silent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgecore.core.verdict import DEGRADED, DOWN, OK
from fanfold.cloud.words import short_model
from fanfold.common.output import printable
from fanfold.fleet.known import Box, Known
from fanfold.rollout.health import REPORTS_MISSED

SILENT, UNKNOWN, NOT_DEPLOYED = "silent", "unknown", "not deployed"
WORST = (DOWN, SILENT, UNKNOWN, DEGRADED, NOT_DEPLOYED, OK)
SLACK_S = 30.0
"""What a message may take to the cloud and into its log."""
_LEVELS = (DOWN, DEGRADED)


@dataclass(frozen=True)
class Why:
    """`level`: the verdict that it leads to. `core`: whose; empty: of the whole site."""

    level: str
    subject: str
    problem: str
    core: str = ""


@dataclass(frozen=True)
class NewestDeployment:
    """The newest deployment. `status`: Success, InProgress or Failure."""

    id: str
    version: str
    created_at: str
    status: str
    error: str = ""
    model: str = ""
    cores: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """What its file says. `core` empty: a thing group's. `every_s` None: no health reports."""

    name: str
    target: str
    core: str
    every_s: int | None

    @property
    def silent_after_s(self) -> float | None:
        return self.every_s * REPORTS_MISSED + SLACK_S if self.every_s else None


@dataclass(frozen=True)
class Row:
    """`drift` None: it was not compared. `problem`: what could not be read, in a sentence."""

    site: Site
    known: Known
    deployed: NewestDeployment | None
    drift: tuple[str, ...] | None
    problem: str
    verdict: str
    reasons: tuple[Why, ...]

    def as_data(self) -> dict[str, Any]:
        """One site of `fanfold sites --json` and of the page; times are epoch seconds."""
        spoke = [box.spoke_at for box in self.known.boxes.values()]
        versions = {str(b.verdict.get("version") or "") for b in self.known.boxes.values()} - {""}
        return {
            "site": self.site.name,
            "target": self.site.target,
            "verdict": self.verdict,
            "reasons": [vars(why) for why in self.reasons],
            "cores": sorted(self.known.boxes),
            "version": ", ".join(sorted(versions)) or None,
            "model": short_model(self.deployed.model) if self.deployed else None,
            "deployed": vars(self.deployed) if self.deployed else None,
            "drift": self.drift,
            "problem": self.problem or None,
            "last_word_at": max(spoke, default=None),
            "oldest_word_at": min(spoke, default=None),
            "silent_after_s": self.site.silent_after_s,
            "last_result_at": self.known.last_result_at,
            "images": self.known.images,
            "failed": self.known.failed,
        }


def row_of(  # noqa: PLR0913 - all that a row is made of
    site: Site, known: Known, deployed: NewestDeployment | None, now: float,
    *, drift: Iterable[str] | None = None, problem: str = "",
) -> Row:  # fmt: skip
    """The verdict is that of its worst core; with a problem, at best unknown."""
    unread = problem and deployed is None and not known.boxes
    reasons = [] if unread else list(_reasons(site, known, deployed, now))
    if problem:
        reasons.append(Why(UNKNOWN, "not readable", problem))
    levels = {why.level for why in reasons}
    verdict = next((level for level in WORST if level in levels), OK)
    found = tuple(sorted((w for w in reasons if w.problem), key=lambda w: WORST.index(w.level)))
    compared = None if drift is None else tuple(drift)
    return Row(site, known, deployed, compared, problem, verdict, found)


def _reasons(
    site: Site, known: Known, deployed: NewestDeployment | None, now: float
) -> Iterable[Why]:
    if deployed is not None and deployed.status == "Failure":
        said = deployed.error or "no reason given"
        yield Why(DEGRADED, "deployment failed", said)
    if site.silent_after_s is None:
        yield Why(
            UNKNOWN, "no health reports",
            "its file has no cloud.monitor, so the site says nothing of itself",
        )  # fmt: skip
        return
    if deployed is None and not known.boxes:
        yield Why(NOT_DEPLOYED, "not deployed", f"deploy it: fanfold deploy {site.name}")
        return
    expected = (set(deployed.cores if deployed else ()) or {site.core}) - {""}
    for core in sorted(expected | set(known.boxes)):
        yield from _of_box(core, known.boxes.get(core), site.silent_after_s, now)


def _of_box(core: str, box: Box | None, silent_after_s: float, now: float) -> Iterable[Why]:
    if box is None:
        yield Why(SILENT, "silent", "no health report is in the cloud's log", core)
    elif now - box.spoke_at > silent_after_s:
        yield Why(SILENT, "silent", f"its last word is {ago(now - box.spoke_at)} old", core)
    elif now - box.verdict_at > silent_after_s:
        why = "its functions report, its core does not (AWS's core sends no verdict)"
        yield Why(UNKNOWN, "no verdict", why, core)
    else:
        yield from _of_core(core, box.verdict)


def _of_core(core: str, said: Mapping[str, Any]) -> Iterable[Why]:
    """The core's own words."""
    state = said.get("verdict")
    if state not in (OK, *_LEVELS):
        yield Why(UNKNOWN, "no verdict", f"its report says {str(state)[:40]!r}", core)
        return
    given = said.get("reasons")
    reasons = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    for each in reasons:
        level = each.get("level")
        subject, problem = (_text(each.get(key)) for key in ("subject", "problem"))
        yield Why(level if level in _LEVELS else DEGRADED, subject, problem, core)
    if state != OK and not reasons:
        yield Why(str(state), str(state), "its core gives no reason", core)
    yield Why(str(state), "", "", core)


def _text(said: object) -> str:
    """Of a device, as anybody may be shown it."""
    return printable(str(said or "?"))[:300]


def ago(seconds: float) -> str:
    """`12 s`, `5 min`, `3 h`, `2 d`."""
    for size_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size_s:
            return f"{seconds // size_s:.0f} {unit}"
    return f"{max(seconds, 0) // 1:.0f} s"
