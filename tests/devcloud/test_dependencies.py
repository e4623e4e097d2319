"""The order in which a stack's resources are made."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcloud.plugin.dependencies import order, references


@pytest.mark.parametrize(
    "properties",
    [
        {"X": {"Ref": "A"}},
        {"X": {"Fn::GetAtt": ["A", "Arn"]}},
        {"X": {"Fn::GetAtt": "A.Arn"}},
        {"X": {"Fn::Sub": "arn:${A}:x"}},
        {"X": {"Fn::Sub": ["${A.Arn}-${B}", {"B": "b"}]}},
        {"X": [{"Fn::Join": ["", ["a", {"Ref": "A"}]]}]},
    ],
)
def test_every_way_of_referring_is_seen(properties: dict[str, Any]):
    assert "A" in references({"Properties": properties})


def test_depends_on_counts_as_name_and_as_list():
    assert references({"DependsOn": "A"}) == {"A"}
    assert references({"DependsOn": ["A", "B"]}) == {"A", "B"}


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    names = [f"R{i}" for i in range(draw(st.integers(1, 8)))]
    resources = {
        name: {"DependsOn": draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else []}
        for i, name in enumerate(names)
    }
    shuffled = draw(st.permutations(names))
    return {name: resources[name] for name in shuffled}


@given(acyclic())
def test_each_resource_comes_once_and_after_what_it_needs(resources: dict[str, Any]):
    ordered = order(resources)

    assert sorted(ordered) == sorted(resources)
    for position, name in enumerate(ordered):
        assert references(resources[name]) <= set(ordered[:position])


def test_a_circle_is_named():
    circle = {"A": {"DependsOn": "B"}, "B": {"DependsOn": "A"}}

    with pytest.raises(ValueError, match="A → B → A"):
        order(circle)
