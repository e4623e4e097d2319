"""Reading a site and the profile that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.planning import yamlfile
from infra.planning.boxes import Dealing, boxes_of, dealing
from infra.planning.fields import CERTIFICATE_ARN
from infra.planning.findings import Finding, InvalidInput
from infra.planning.profile import Profile
from infra.planning.site import Site
from infra.planning.yamlfile import Loc


def load_profile(path: Path) -> Profile:
    """Read one hardware profile. Raises InvalidInput."""
    profile = yamlfile.read(path, Profile)
    _named_like_file(path, profile.name)
    return profile


@dataclass(frozen=True, slots=True)
class Place:
    """What a site's file says. `boxes`: core → the box as a site, and its profile.

    `dealing` is None where there is one core.
    """

    site: Site
    boxes: Mapping[str, tuple[Site, Profile]]
    dealing: Dealing | None


def load_site(path: Path, profiles: Path, core: str | None = None) -> tuple[Site, Profile]:
    """Read a site, its certificates file where there is one, and the profile that it names.

    `profiles` is the folder of hardware profiles; `core` chooses the box of a site with several,
    the first by default. Raises InvalidInput with the findings of every file involved.
    """
    boxes = load_place(path, profiles).boxes
    if core is None:
        return next(iter(boxes.values()))
    if core not in boxes:
        said = f"{json.dumps(core)} is no core of the site; cores: {', '.join(boxes)}."
        raise InvalidInput([Finding("FF008", "error", str(path), said, "Use one of them.")])
    return boxes[core]


def load_place(path: Path, profiles: Path) -> Place:
    """Read a site with all its cores. Raises InvalidInput."""
    found: list[Finding] = []
    site = None
    try:
        site = _with_files_found(path, yamlfile.read(path, Site))
        _named_like_file(path, site.name)
    except InvalidInput as error:
        found += error.findings
    known: dict[str, Profile] = {}
    for core, key in _profile_keys(site):
        try:
            known[core] = load_profile(_profile_path(path, profiles, key))
        except InvalidInput as error:
            found += [finding for finding in error.findings if finding not in found]
    dealt = None
    if site is not None and not found:
        dealt = dealing(site, known) if site.cores else None
        boxes = boxes_of(site, dealt)
        certified = {}
        for core, box in boxes.items():
            try:
                certified[core] = (box.with_certificates(_certificates(path, box)), known[core])
            except InvalidInput as error:
                found += error.findings
    if site is None or found:
        raise InvalidInput(found)
    return Place(site, certified, dealt)


def _with_files_found(path: Path, site: Site) -> Site:
    """`components.runtimes` and `core.bundle` beside the site's file, or where its folder lies;
    what is neither stays as it is written, below the project."""
    folders = (path.absolute().parent, path.absolute().parent.parent)

    def found(source: str) -> str:
        here = (folder / source for folder in folders if not source.startswith("s3://"))
        return next((str(file) for file in here if file.is_file()), source)

    runtimes = tuple(map(found, site.components.runtimes))
    if runtimes != site.components.runtimes:
        components = site.components.model_copy(update={"runtimes": runtimes})
        site = site.model_copy(update={"components": components})
    if site.core.bundle is not None:
        core = site.core.model_copy(update={"bundle": found(site.core.bundle)})
        site = site.model_copy(update={"core": core})
    return site


def _profile_keys(site: Site | None) -> list[tuple[str, Loc]]:
    """Core → where the file names its profile."""
    if site is None:
        return [("", ("profile",))]
    return [
        (site.name, ("profile",)),
        *(
            (core.name, ("cores", place, "profile") if core.profile else ("profile",))
            for place, core in enumerate(site.cores)
        ),
    ]


def _profile_path(path: Path, profiles: Path, key: Loc) -> Path:
    """Where the profile is that the site names, found even if the rest of the site is wrong."""
    tree = yamlfile.parse(path)
    name: Any = tree
    for step in key:
        name = name.get(step) if isinstance(step, str) else name[step]
    if not isinstance(name, str):
        raise InvalidInput([])  # the site's own findings say so already
    file = profiles / f"{name}.yaml"
    if "/" in name or not file.is_file():
        known = ", ".join(sorted(each.stem for each in profiles.glob("*.yaml"))) or "none"
        line = yamlfile.line_of(tree, key)
        raise InvalidInput(
            [
                Finding(
                    "FF007",
                    "error",
                    f"{path}:{line}: profile",
                    f"{json.dumps(name)} is not a profile in {profiles}; allowed: {known}.",
                    f"Use one of them, or add {file}.",
                )
            ]
        )
    return file


def _named_like_file(path: Path, name: str) -> None:
    """So that a name is found without opening files, and two files never claim one stack."""
    if name == path.stem:
        return
    line = yamlfile.line_of(yamlfile.parse(path), ("name",))
    message = f"{json.dumps(name)} differs from the file's name."
    remedy = f"Write {path.stem}, or rename the file."
    raise InvalidInput([Finding("FF006", "error", f"{path}:{line}: name", message, remedy)])


def _certificates(path: Path, site: Site) -> dict[str, str]:
    """Thing name → certificate ARN. A file that is not there yet is an unprovisioned site (FF142).

    `fanfold provision` writes the file; JSON is YAML, so either is read.
    """
    file = path.parent / (site.certificates or f"certificates/{site.name}.json")
    if not file.is_file():
        return {}
    tree = yamlfile.parse(file)
    wrong = {k: v for k, v in tree.items() if not re.fullmatch(CERTIFICATE_ARN, str(v))}
    if wrong:
        raise InvalidInput([_not_a_certificate(file, tree, *entry) for entry in wrong.items()])
    return {str(key): str(value) for key, value in tree.items()}


def _not_a_certificate(file: Path, tree: Any, thing: str, value: object) -> Finding:
    line = yamlfile.line_of(tree, (thing,))
    return Finding(
        "FF004",
        "error",
        f"{file}:{line}: {thing}",
        f"{json.dumps(value, default=str)} is not the ARN of a certificate.",
        "Run `fanfold provision` again.",
    )
