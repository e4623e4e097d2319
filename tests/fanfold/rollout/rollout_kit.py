"""Sites that answer as a test says, for the loop of a rollout without a cloud."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fanfold.rollout.health import Limits, Report
from fanfold.rollout.record import Record
from fanfold.rollout.run import Run, Settings
from fanfold.rollout.sites import Standing
from fanfold.rollout.state import Rollout
from fanfold.rollout.waves import Wave
from fanfold.rollout.ways import Ran

OLD, NEW = "s3://models/old.tar.gz", "s3://models/new.tar.gz"
GOOD, REFUSES, OFF, ILL, SILENT = "good", "refuses", "off", "ill", "silent"
PARTLY = "partly"  # a group: one box takes it, and after the wait another refuses it
KINDS = (GOOD, REFUSES, OFF, ILL, SILENT)


class Killed(BaseException):
    """The process of the rollout ends here."""


class ScriptedSite:
    """A device of one kind and what the cloud says of it."""

    def __init__(self, name: str, kind: str = GOOD) -> None:
        self.file, self.kind = name, kind
        self.model, self.status = OLD, "Success"
        self.report_every_s: int | None = 1

    def limits(self, failed_percent: float) -> Limits:
        return Limits(failed_percent)

    def standing(self) -> Standing | None:
        if self.kind == PARTLY and self.model == NEW:
            refused = "box-2 FAILED: no such layer"
            return Standing(f"version of {OLD}", "Success", OLD, refused=refused, partly=True)
        return Standing(f"version of {self.model}", self.status, self.model)

    def reports(self, since: float, until: float) -> list[Report]:
        """One before the watch, unless it is off, and one at its end."""
        told = [] if self.kind == OFF else [self._report(until - 2.0, failed=0)]
        if self.kind in (OFF, SILENT) and self.model == NEW:
            return told
        return [*told, self._report(until, failed=50 if self._is_ill else 0)]

    @property
    def _is_ill(self) -> bool:
        return self.kind == ILL and self.model == NEW

    def _report(self, at: float, failed: int) -> Report:
        values = {"results": 100, "failed": failed, "workers_ready": 2}
        return Report(f"{self.file}-core", "splitter", at, values)


class ScriptedWays:
    """Counts what it is asked for; `dies_at`: the process is killed at that call."""

    def __init__(self, sites: dict[str, ScriptedSite], dies_at: int | None = None) -> None:
        self.sites, self.dies_at = sites, dies_at
        self.deployed: list[str] = []
        self.returned: list[str] = []

    def deploy(self, site: str, model: str) -> Ran:
        self._live()
        self.deployed.append(site)
        one = self.sites[site]
        if one.kind == REFUSES:
            return Ran(1, "labels.txt has SHA-256 12…, model.json says 00…")
        one.model, one.status = model, "InProgress" if one.kind == OFF else "Success"
        return Ran(0)

    def go_back(self, site: str, version: str) -> Ran:
        self._live()
        self.returned.append(site)
        one = self.sites[site]
        one.model, one.status = OLD, "InProgress" if one.kind == OFF else "Success"
        return Ran(0)

    def _live(self) -> None:
        if self.dies_at is not None:
            self.dies_at -= 1
            if self.dies_at < 0:
                raise Killed


def run_once(
    path: Path, sites: dict[str, ScriptedSite], ways: ScriptedWays, waves: Sequence[Wave],
    *, resume: bool = False, without: Sequence[str] = (),
) -> Rollout:  # fmt: skip
    """One process of a rollout, from its start or from its record, to its end. May be killed."""
    record = Record(path)
    try:
        if record.state is None:
            before = {name: site.standing().version for name, site in sites.items()}
            record.begin(NEW, list(waves), before)
        elif resume:
            record.add("resumed", by="test", without=list(without))
        settings = Settings(NEW, at_once=2, watch_s=0.0, failed_percent=1.0, poll_s=0.0)
        return Run(record, sites, ways, settings, lambda _: None).go()
    finally:
        record.close()


def fleet(**kinds: str) -> dict[str, ScriptedSite]:
    return {name: ScriptedSite(name, kind) for name, kind in kinds.items()}
