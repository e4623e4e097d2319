"""The loop: does what `state.decide` says, writes the record, tells who watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from fanfold.rollout.health import REPORTS_MISSED, Limits, Report, Verdict, ill, judge
from fanfold.rollout.record import Record
from fanfold.rollout.sites import Standing
from fanfold.rollout.state import Deploy, Ended, Halt, Judge, RollBack, Rollout, Stand, decide
from fanfold.rollout.ways import Ran, Ways

POLL_S = 2.0
BEFORE_S = 900.0
"""Health reports of so long before are what a site is compared with."""


class Place(Protocol):
    """What is asked of a site (fanfold.rollout.sites.Target)."""

    @property
    def file(self) -> str: ...

    @property
    def report_every_s(self) -> int | None: ...

    def limits(self, failed_percent: float) -> Limits: ...

    def standing(self) -> Standing | None: ...

    def reports(self, since: float, until: float) -> list[Report]: ...


@dataclass(frozen=True)
class Settings:
    """`watch_s`: how long the sites of a wave are watched before the next one is told."""

    model: str
    at_once: int
    watch_s: float
    failed_percent: float
    poll_s: float = POLL_S


Told = Callable[[str], None]


class Run:
    def __init__(
        self, record: Record, places: Mapping[str, Place], ways: Ways, settings: Settings,
        told: Told,
    ) -> None:  # fmt: skip
        self._record, self._places, self._ways = record, places, ways
        self._settings, self._report = settings, told

    def go(self) -> Rollout:
        """Until done, or stopped and rolled back. Any end of this process loses nothing."""
        while True:
            match decide(self._record.known):
                case Deploy():
                    self._deploy_wave()
                case Judge(sites):
                    self._judge(sites)
                case Halt(why):
                    self._record.add("stopped", why=why)
                    self._report(f"stopped: {why}")
                case RollBack(sites):
                    self._go_back(sites)
                case Ended(done):
                    if done and self._record.events[-1]["event"] != "done":
                        self._record.add("done")
                    return self._record.known

    def _moved(self, site: str, to: Stand, why: str = "") -> None:
        state = self._record.add("site", site=site, stand=to.value, why=why)
        wave = next(i for i, wave in enumerate(state.waves, 1) if site in wave)
        self._report(f"wave {wave} of {len(state.waves)}  {site}  {to.value}{why and ': '}{why}")

    def _deploy_wave(self) -> None:
        """The sites of this wave, some at once; after a failure no further one is begun."""
        under_way: dict[Future[Ran | None], str] = {}
        with ThreadPoolExecutor(self._settings.at_once) as pool:
            while True:
                action = decide(self._record.known)
                for site in action.sites if isinstance(action, Deploy) else ():
                    if len(under_way) == self._settings.at_once:
                        break
                    if site not in under_way.values():
                        self._moved(site, Stand.DEPLOYING)
                        under_way[pool.submit(self._deploy, site)] = site
                if not under_way:
                    return
                for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                    self._outcome(under_way.pop(done), done.result())

    def _deploy(self, site: str) -> Ran | None:
        """None: it has the model already, so nothing was done."""
        place = self._places[site]
        standing = place.standing()
        if standing and standing.model == self._settings.model and standing.status != "Failure":
            return None
        return self._ways.deploy(place.file, self._settings.model)

    def _outcome(self, site: str, ran: Ran | None) -> None:
        standing = self._places[site].standing()
        # Of a group, the boxes that took it are still to go back; of target v2, whoever was told.
        still = standing is not None and (standing.partly or standing.in_force)
        bad = Stand.UNHEALTHY if still else Stand.FAILED
        if ran is not None and ran.code:
            self._moved(site, bad, ran.said)
        elif standing is None or standing.model != self._settings.model:
            why = (standing and standing.refused) or "it went back to the model before by itself"
            self._moved(site, bad, why)
        elif standing.runs:
            late = standing.boxes - standing.done
            why = f"{standing.done} of {standing.boxes} boxes" if late else ""
            self._moved(site, Stand.DEPLOYED, why)
        else:
            self._moved(site, Stand.AWAY, "its device has not answered; it takes it later")

    def _judge(self, sites: tuple[str, ...]) -> None:
        """Wait for the watch to end, or for the first site that is ill before that."""
        state, watched = self._record.known, []
        for site in sites:
            if self._places[site].report_every_s is None:
                self._moved(site, Stand.HEALTHY, "by its deployment; it sends no health reports")
            else:
                watched.append(site)
        end = max((state.since[site] for site in watched), default=0) + self._settings.watch_s
        while watched:
            over = time.time() >= end
            verdicts = {site: self._verdict(site, state.since[site], over) for site in watched}
            found = {site: verdict for site, verdict in verdicts.items() if verdict}
            for site, verdict in found.items():
                self._moved(site, verdict.stand, verdict.why)
            if found:
                return
            time.sleep(min(self._settings.poll_s, max(0.0, end - time.time())))

    def _verdict(self, site: str, deployed_at: float, over: bool) -> Verdict | None:
        place, now = self._places[site], time.time()
        told_at = self._deployed_at(site)
        limits = place.limits(self._settings.failed_percent)
        found = place.reports(told_at - BEFORE_S, now)
        after = [report for report in found if report.at > deployed_at]
        before = [report for report in found if report.at <= told_at]
        if not over:
            why = ill(before, after, limits)
            return Verdict(Stand.UNHEALTHY, why) if why else None
        silent_s = REPORTS_MISSED * (place.report_every_s or 0)
        spoke = {report.core for report in before if report.at > told_at - silent_s}
        return judge([r for r in before if r.core in spoke], after, limits)

    def _deployed_at(self, site: str) -> float:
        """When the site was last told to deploy."""
        told = [
            event["t"] for event in self._record.events
            if event["event"] == "site"
            and (event["site"], event["stand"]) == (site, Stand.DEPLOYING.value)
        ]  # fmt: skip
        return float(told[-1])

    def _go_back(self, sites: tuple[str, ...]) -> None:
        for site in sites:
            self._moved(site, Stand.RETURNING)
        with ThreadPoolExecutor(self._settings.at_once) as pool:
            for site, (stand, why) in zip(sites, pool.map(self._returned, sites), strict=True):
                self._moved(site, stand, why)

    def _returned(self, site: str) -> tuple[Stand, str]:
        place, before = self._places[site], self._record.begun["before"][site]
        if before is None:
            return Stand.STUCK, f"nothing was deployed before; `fanfold destroy {site}` removes it"
        standing = place.standing()
        if standing and standing.partly and not standing.in_force:
            ran = self._ways.deploy(place.file, standing.model)
            return (Stand.STUCK, ran.said) if ran.code else (Stand.RETURNED, "to the model before")
        if standing and standing.is_at(before):
            return Stand.RETURNED, "it runs what it had"
        ran = self._ways.go_back(place.file, before)
        if ran.code:
            return Stand.STUCK, ran.said
        return Stand.RETURNED, f"to group version {before}"
