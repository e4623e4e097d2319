"""The boxes of a site with several cores, as the verbs take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import (
    ENDINGS,
    find_site,
    further_cores,
    profiles,
    read_site,
    site_file,
)

if TYPE_CHECKING:  # half a second, and most verbs ask a running core only
    from infra.planning import Dealing, Place, Site


def read_place(site: str) -> Place:
    """The site of this file with all its boxes. Raises UserError."""
    from infra.planning import InvalidInput, load_place

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


def names_box(site: str) -> bool:
    """Whether a name is that of a further box, not of a site's file."""
    return find_site(site)[1] is not None


def boxes_named(site: str) -> list[Site]:
    """All boxes of a site; or the one further box that the name is of. Raises UserError."""
    if names_box(site):
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


def shared_bucket(site: str) -> str | None:
    """The results bucket that the first box's stack makes for the others."""
    from infra.planning import store_of

    if not further_cores(site_file(site)):
        return None
    first = next(iter(read_place(site).boxes.values()))[0]
    store = store_of(first)
    return store.bucket if store and store.created else None


def show_dealing(site: str, dealt: Dealing) -> None:
    """Which core takes which camera, and by what it was decided."""
    from infra.planning import box_name

    cameras, cores = len(dealt.cameras), len(dealt.capacities)
    output.out.print(
        f"[bold]{site}[/bold]: {cameras} cameras over {cores} cores, by {dealt.unit}",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("core", "box", "can do", "cameras"):
        table.add_column(column)
    for core, able in dealt.capacities.items():
        names = [f"{c}*" if c in dealt.by_hand else c for c in dealt.of(core)]
        table.add_row(core, box_name(site, core), f"{able:g}", ", ".join(names) or "none")
    output.out.print(table)
    if dealt.by_hand:
        output.out.print("[dim]* put by hand[/dim]", highlight=False)
