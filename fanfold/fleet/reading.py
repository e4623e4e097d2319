"""Reading the fleet from its cloud: deployments, drift, and health reports that are new.

The same calls for the development cloud and for AWS. A site that cannot be read is a row that
says why; it keeps no other site from being shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fanfold.cloud.access import Access, reach
from fanfold.cloud.comparing import compare
from fanfold.cloud.deployed import Deployed, read_document, read_site_deployed
from fanfold.cloud.model_age import model_uri
from fanfold.cloud.words import detail_lines, headline
from fanfold.common.errors import UserError
from fanfold.common.project import read_site
from fanfold.fleet.known import Known, fold
from fanfold.fleet.row import NewestDeployment, Row, Site, row_of
from fanfold.rollout.sites import Target
from infra.planning import InvalidInput, Plan, Profile, plan_group
from infra.planning import Site as Settings

READERS = 8
FIRST_S = 900.0
OVERLAP_S = 60.0
"""A log's events may be a little late; what was read is read again, and changes nothing."""
DEPLOYED_EVERY_S = 120.0


@dataclass
class Watched:
    """One site's file and what was read of it so far."""

    name: str
    look_back_s: float
    aws: bool
    known: Known = field(default_factory=Known)
    deployed: NewestDeployment | None = None
    drift: tuple[str, ...] | None = None
    _looked_at: float = float("-inf")
    _access: Access | None = None

    def read(self, now: float) -> Row:
        """Never raises UserError: what is wrong is in the row."""
        try:
            settings, profile = read_site(self.name)
        except UserError as error:
            nameless = Site(self.name, "", "", None)
            return row_of(nameless, self.known, None, now, problem=str(error))
        site = _site(settings)
        try:
            self._read(settings, profile, now)
        except (UserError, InvalidInput) as error:
            self._access = None  # the development cloud may have been started elsewhere
            return row_of(
                site, self.known, self.deployed, now, drift=self.drift, problem=str(error)
            )
        return row_of(site, self.known, self.deployed, now, drift=self.drift)

    def _read(self, settings: Settings, profile: Profile, now: float) -> None:
        if self._access is None:
            self._access = reach(settings.region, aws=self.aws)
        access = self._access
        if now - self._looked_at >= DEPLOYED_EVERY_S:
            self.deployed, self.drift = _deployed(access, settings, profile, self.name)
            self._looked_at = now
        if _site(settings).every_s:
            self._read_reports(Target(self.name, settings, access), now)

    def _read_reports(self, target: Target, now: float) -> None:
        """The newest; and further back where they do not say how the site is."""
        first = self.known.read_until == 0.0
        since = now - FIRST_S if first else self.known.read_until - OVERLAP_S
        self.known = fold(self.known, target.reports(since, now), now)
        if first and self.look_back_s > FIRST_S and not self._complete():
            older = target.reports(now - self.look_back_s, now - FIRST_S)
            self.known = fold(self.known, older, now)

    def _complete(self) -> bool:
        expected = set(self.deployed.cores if self.deployed else ())
        return bool(self.known.boxes) and expected <= set(self.known.boxes) and (
            self.known.last_result_at is not None
        )  # fmt: skip


@dataclass
class Fleet:
    """Sites by the names of their files; `read` as often as wanted."""

    watched: list[Watched]

    @classmethod
    def of(cls, names: Iterable[str], *, look_back_s: float, aws: bool) -> Fleet:
        return cls([Watched(name, look_back_s, aws) for name in names])

    def read(self) -> list[Row]:
        """In the order of their names."""
        now = time.time()
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda site: site.read(now), self.watched))


def _site(settings: Settings) -> Site:
    monitor = settings.cloud.monitor if settings.cloud.mqtt else None
    core = "" if settings.core.group else settings.core.thing
    return Site(settings.name, settings.target, core, monitor.every_s if monitor else None)


def _deployed(
    access: Access, settings: Settings, profile: Profile, name: str
) -> tuple[NewestDeployment | None, tuple[str, ...] | None]:
    """The newest deployment, and what the site's file would change of it (None: there is none)."""
    found = read_site_deployed(access, settings)
    if found is None or found.current is None:
        return None, None
    newest = found.deployments[0]
    document = read_document(access, found, found.current)
    drift = _drift(document, found, plan_group(settings, profile), name)
    if newest.status == "InProgress":
        drift.insert(0, f"deployment {newest.id[:8]}… has no answer of every device yet")
    told = found.devices(newest)
    things = (settings.core.thing,) if told is None else tuple(device.thing for device in told)
    deployed = NewestDeployment(
        newest.id, newest.version, newest.created_at, newest.status, newest.error,
        model_uri(document), things,
    )  # fmt: skip
    return deployed, tuple(drift)


def _drift(document: Mapping[str, Any], deployed: Deployed, plan: Plan, name: str) -> list[str]:
    try:
        found, _ = compare(plan, name, deployed, document)
    except UserError as error:  # a site that cannot be rendered here may run well
        return [f"not compared: {error}"]
    said = [headline(change) for change in found if not detail_lines([change])]
    return said + detail_lines(found)
