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
    """A site's file by name or path; names what there is when it is not found."""
    if site.endswith((".yaml", ".yml")):
        return Path(site)
    folder = root() / "sites"
    for path in (folder / f"{site}.yaml", Path(f"{site}.yaml")):
        if path.is_file():
            return path
    known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
    raise UserError(
        f"site {site!r} is not in {folder}; sites: {known}. Pass one of them, or a file.", INVALID
    )


def read_site(site: str) -> tuple[Site, Profile]:
    """Site and profile, or a UserError with every finding of both files at once."""
    from infra.planning import InvalidInput, load_site

    try:
        return load_site(site_file(site), profiles())
    except InvalidInput as error:
        raise UserError("\n".join(str(f) for f in error.findings), INVALID) from error


def remember_site(state: Path, site: str) -> None:
    """Note which file a core was started with: its name alone does not say whose `sites/`."""
    state.mkdir(parents=True, exist_ok=True)
    (state / _SITE_NOTE).write_text(str(site_file(site).absolute()) + "\n", encoding="utf-8")


def remembered_site(state: Path) -> str:
    """The file that the core in `state` was started with; else the state directory's name."""
    try:
        return (state / _SITE_NOTE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return state.name
