"""A real core at the development cloud, whose certificate somebody else uses as well, and whose
policy forbids what its group wants."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from joined_core import THING, Core, group_document
from paho_client import Client
from things import Thing, write_join
from waiting import eventually

pytestmark = [pytest.mark.xdist_group("devcloud"), pytest.mark.in_order]


@pytest.fixture
def thing(new_thing: Callable[..., Thing]) -> Thing:
    return new_thing(name=THING)


@pytest.fixture
def core(thing: Thing, tmp_path: Path) -> Iterator[Core]:
    (tmp_path / "group.json").write_text(json.dumps(group_document()))
    join = write_join(tmp_path / "hall.join", thing)
    one = Core(tmp_path / "core", join, str(tmp_path / "group.json"))
    eventually(lambda: one.status()["cloud"]["link"]["connected"], "connected")
    yield one
    one.stop()


def test_a_core_says_that_it_is_told_nothing_and_that_it_shares_its_certificate(
    core: Core, thing: Thing
) -> None:
    refused = eventually(lambda: core.reasons().get("cloud_refuses"), "the subscription")
    assert "hall/down" in refused["problem"]
    assert "iot:Subscribe" in refused["remedy"]

    with Client(thing):
        shared = eventually(lambda: core.reasons().get("certificate_shared"), "taken over")
    assert "another device took the connection over, once" in shared["problem"]
    eventually(lambda: core.status()["cloud"]["link"]["connected"], "connected again")
    assert core.reasons().keys() == {"cloud_refuses", "certificate_shared"}
