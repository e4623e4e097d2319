"""The README's map of folders is the tree."""

from __future__ import annotations

import re

import pytest
from checkout import PROJECT

HOUSES = ("infra", "lambdas", "edgecore", "fanfold")


def map_of_the_readme() -> str:
    blocks = re.findall(r"```text\n(.*?)```", (PROJECT / "README.md").read_text("utf-8"), re.DOTALL)
    [found] = [block for block in blocks if block.startswith("app.py")]
    return found


def test_every_top_folder_is_on_the_map():
    folders = {p.name for p in PROJECT.iterdir() if p.is_dir() and any(p.glob("[!_.]*"))}
    known = {name for name in folders if any((PROJECT / name).glob("*.py"))}
    known |= {"device_profiles", "sites", "schemas", "docs", "tests"}

    assert {name for name in known if f"{name}/" not in map_of_the_readme()} == set()


@pytest.mark.parametrize("house", HOUSES)
def test_every_room_of_a_house_is_on_the_map(house):
    rooms = {p.parent.name for p in (PROJECT / house).glob("*/__init__.py")}

    assert rooms
    assert {room for room in rooms if f"{room}/" not in map_of_the_readme()} == set()


def test_every_folder_on_the_map_exists():
    names = set(re.findall(r"([a-z_]+)/", map_of_the_readme()))
    tops = {name for name in names if (PROJECT / name).is_dir()}
    rooms = {name for name in names for top in tops if (PROJECT / top / name).is_dir()}

    assert names - tops - rooms == set()
