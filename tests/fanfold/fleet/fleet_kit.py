"""Reports as the parts of a core make them, and rows of them."""

from __future__ import annotations

from typing import Any

from fanfold.fleet.known import Known, fold
from fanfold.fleet.row import NewestDeployment, Row, Site, row_of
from fanfold.rollout.health import Report

NOW = 1_790_000_000.0
SITE = Site("hall", "v1", "hall-core", 60)
DEPLOYED = NewestDeployment("d1", "v1", "2026-11-29", "Success", "", "s3://b/models/lite0/1.0.0-7.tar.gz",
                    ("hall-core",))  # fmt: skip


def report(age_s: float = 10, part: str = "core", core: str = "hall-core", **values: Any) -> Report:
    """One that was said `age_s` ago and came at once."""
    return Report(core, part, NOW - age_s + 0.2, {"t": NOW - age_s, **values})


def verdict(state: Any = "ok", age_s: float = 10, core: str = "hall-core", **values: Any) -> Report:
    return report(age_s, core=core, verdict=state, version="0.1.0", **values)


def row(*reports: Report, site: Site = SITE, deployed: NewestDeployment | None = DEPLOYED,
        now: float = NOW, **given: Any) -> Row:  # fmt: skip
    return row_of(site, fold(Known(), reports, now), deployed, now, **given)
