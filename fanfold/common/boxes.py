"""The boxes of a site with several cores, as the verbs take them."""

from __future__ import annotations

from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import (
    ENDINGS,
    find_site,
    further_cores,
    profiles,
    read_site,
    site_file,
)
from infra.planning import InvalidInput, Place, Site, load_place


def read_place(site: str) -> Place:
    """The site of this file with all its boxes. Raises UserError."""
    try:
        return load_place(site_file(site), profiles())
    except InvalidInput as error:
        raise UserError("\n".join(str(f) for f in error.findings), INVALID) from error


def box_of(site: str, core: str) -> str:
    """What a verb is called with for one core of a site: by its name, its box's or its thing's."""
    file, place = site_file(site), read_place(site)
    for name, (box, _) in place.boxes.items():
        if core in {name, box.name, box.core.thing}:
            return str(file.with_stem(box.name)) if site.endswith(ENDINGS) else box.name
    known = ", ".join(place.boxes)
    raise UserError(f"--core {core}: no core of site {place.site.name}; cores: {known}", INVALID)


def boxes_named(site: str) -> list[Site]:
    """All boxes of a site; or the one further box that the name is of. Raises UserError."""
    if find_site(site)[1] is not None:
        return [read_site(site)[0]]
    return [box for box, _ in read_place(site).boxes.values()]


def one_box(site: str, core: str | None) -> str:
    """The box that a verb is about which takes one. Raises UserError where that is not clear."""
    if core is not None:
        return box_of(site, core)
    file, named = find_site(site)
    further = further_cores(file)
    if further and named is None:
        known = ", ".join([file.stem, *further])
        raise UserError(f"site {file.stem} has several cores: {known}. Pass --core NAME", INVALID)
    return site
