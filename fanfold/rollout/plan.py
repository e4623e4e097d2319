"""What a rollout would do, before it does anything: sites, waves, what each runs now."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fanfold.cloud.access import Access, reach
from fanfold.cloud.words import short_model
from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import further_cores, read_site, root
from fanfold.rollout.sites import Standing, Target
from fanfold.rollout.waves import Wave, deal
from infra.planning import InvalidInput, box_name, check, errors, plan_group

READERS = 8


@dataclass(frozen=True)
class Plan:
    """`standings`: what each site runs now, None where nothing is deployed."""

    model: str
    targets: dict[str, Target]
    standings: dict[str, Standing | None]
    waves: tuple[Wave, ...]

    @property
    def unchanged(self) -> list[str]:
        """Sites that run the model already."""
        dealt = {site for wave in self.waves for site in wave}
        return [site for site in self.targets if site not in dealt]

    @property
    def before(self) -> dict[str, str | None]:
        return {site: now.version if now else None for site, now in self.standings.items()}

    def as_json(self) -> dict[str, Any]:
        rows = {
            site: {
                "target": target.site.target,
                "engine": target.engine,
                "now": (now := self.standings[site]) and now.model,
                "report_every_s": target.report_every_s,
            }
            for site, target in self.targets.items()
        }
        return {
            "model": self.model, "waves": self.waves, "unchanged": self.unchanged, "sites": rows,
        }  # fmt: skip

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """wave, site, how, now, judged by."""
        return [
            (str(number), site, *self._row(site))
            for number, wave in enumerate(self.waves, 1) for site in wave
        ]  # fmt: skip

    def _row(self, site: str) -> tuple[str, str, str]:
        target, now = self.targets[site], self.standings[site]
        runs = short_model(now.model) if now and now.model else "nothing"
        off = "" if now is None or now.status == "Success" else f" ({now.status})"
        every_s = target.report_every_s
        judged = f"health reports, every {every_s} s" if every_s else "its deployment only"
        return target.engine, f"{runs}{off}", judged


def sites_of(pattern: str, without: Sequence[str] = ()) -> list[str]:
    """Boxes of the sites in `sites/` that match by their own name or the site's."""
    folder = root() / "sites"
    known = _boxes_below(folder)
    if unknown := [site for site in without if site not in known]:
        raise UserError(f"--without {unknown[0]}: no such site in {folder}", INVALID)
    found = [
        box
        for box, site in known.items()
        if (fnmatch(box, pattern) or fnmatch(site, pattern)) and box not in without
    ]
    if not found:
        names = ", ".join(known) or "none"
        raise UserError(f"{pattern!r} matches no site in {folder}; sites: {names}", INVALID)
    return found


def _boxes_below(folder: Path) -> dict[str, str]:
    """Box → site, every core of every site, in the order of the files' names."""
    return {
        box_name(path.stem, core): path.stem
        for path in sorted(folder.glob("*.yaml"))
        for core in (path.stem, *further_cores(path))
    }


def targets_of(names: Sequence[str], model: str, *, aws: bool) -> dict[str, Target]:
    """Every site as it would be; a UserError with the findings of all of them at once."""
    wrong: list[str] = []
    targets: dict[str, Target] = {}
    accesses: dict[str, Access] = {}
    for name in names:
        try:
            site, profile = read_site(name)
            wanted = site.with_model(model)
            found = errors(check(plan_group(wanted, profile)))
            wrong += [f"{name}: {finding}" for finding in found]
        except UserError as error:
            wrong.append(f"{name}: {error}")
            continue
        except InvalidInput as error:
            raise UserError("\n".join(map(str, error.findings)), INVALID) from error
        access = accesses.setdefault(site.region, reach(site.region, aws=aws))
        targets[site.name] = Target(name, wanted, access)
    if wrong:
        raise UserError("\n".join(wrong), INVALID)
    return targets


def make_plan(
    model: str, targets: dict[str, Target], canary: str | None, shares: Sequence[int]
) -> Plan:
    """Reads what each site runs now. Raises UserError."""
    with ThreadPoolExecutor(READERS) as pool:
        found = pool.map(Target.standing, targets.values())
        standings = dict(zip(targets, found, strict=True))
    change = [site for site, now in standings.items() if not _has(now, model)]
    if canary in standings and canary not in change:
        raise UserError(f"--canary {canary}: it runs the model already; name another", INVALID)
    try:
        waves = deal(change, canary, shares)
    except ValueError as error:
        option = "--shares" if "shares" in str(error) else "--canary"
        raise UserError(f"{option} {error}", INVALID) from error
    return Plan(model, targets, standings, tuple(waves))


def _has(now: Standing | None, model: str) -> bool:
    return now is not None and now.model == model and now.status == "Success"
