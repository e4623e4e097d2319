"""Where things are: the project folder, its sites and profiles, the state of what runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.common.errors import INVALID, UserError
from infra import where

if TYPE_CHECKING:  # half a second, and most verbs ask a running core only
    from infra.planning import Profile, Site

PROJECT = where.PROJECT
STATE = Path(".fanfold")
_SITE_NOTE = "site"
ENDINGS = (".yaml", ".yml")


def root() -> Path:
    """The folder with `sites/`: the working directory if it has one, else Fanfold's own."""
    here = Path.cwd()
    return here if (here / "sites").is_dir() else PROJECT


def profiles() -> Path:
    """The folder of hardware profiles: the working directory's own, else Fanfold's."""
    own = root() / "device_profiles"
    return own if own.is_dir() else PROJECT / "device_profiles"


def state_dir() -> Path:
    """What commands share: `.fanfold` below the working directory, or $FANFOLD_STATE."""
    return Path(os.environ.get("FANFOLD_STATE", STATE))


def device_packages() -> Path:
    """A folder from which the device's interpreter finds `lambdas` and `models`."""
    return where.device_packages(state_dir().absolute() / "device-packages")


def core_state(name: str) -> Path:
    """The state directory of one site's core."""
    return state_dir() / "core" / name


def site_file(site: str) -> Path:
    """A site's file by its name, a box's name or path; names what there is where none is found."""
    return find_site(site)[0]


def read_site(site: str) -> tuple[Site, Profile]:
    """Site and profile, or a UserError with every finding of both files at once.

    Of a site with several cores: its first box, or the one that `site` names (`hall-b`).
    """
    from infra.planning import InvalidInput, load_site

    file, core = find_site(site)
    try:
        return load_site(file, profiles(), core)
    except InvalidInput as error:
        raise UserError("\n".join(str(f) for f in error.findings), INVALID) from error


def find_site(site: str) -> tuple[Path, str | None]:
    """The file, and which of its cores where `site` is a further box's name."""
    named = site.endswith(ENDINGS)
    folder = root() / "sites"
    paths = [Path(site)] if named else [folder / f"{site}.yaml", Path(f"{site}.yaml")]
    for path in paths:
        if path.is_file():
            return path, None
    for path in paths:
        if box := _box_beside(path):
            return box
    if named:
        return Path(site), None
    known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
    raise UserError(
        f"site {site!r} is not in {folder}; sites: {known}. Pass one of them, or a file.", INVALID
    )


def _box_beside(path: Path) -> tuple[Path, str] | None:
    """`hall-b.yaml` that is not there is core b of `hall.yaml`, where that has one."""
    for file in path.parent.glob(f"*{path.suffix}"):
        core = path.stem.removeprefix(f"{file.stem}-")
        if core != path.stem and core in further_cores(file):
            return file, core
    return None


def further_cores(file: Path) -> list[str]:
    """Names of a site's further cores, as far as its file can be read."""
    from infra.planning import InvalidInput, yamlfile

    try:
        cores = yamlfile.parse(file).get("cores") or []
        return [str(core["name"]) for core in cores]
    except (InvalidInput, TypeError, KeyError):
        return []


def remember_site(state: Path, site: str) -> None:
    """Note which file a core was started with: its name alone does not say whose `sites/`."""
    from infra.planning import box_name

    file, core = find_site(site)
    box = file.with_stem(box_name(file.stem, core)) if core else file
    state.mkdir(parents=True, exist_ok=True)
    (state / _SITE_NOTE).write_text(f"{box.absolute()}\n", encoding="utf-8")


def remembered_site(state: Path) -> str:
    """The file that the core in `state` was started with; else the state directory's name."""
    try:
        return (state / _SITE_NOTE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return state.name
