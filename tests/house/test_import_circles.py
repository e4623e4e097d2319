"""The house stands: no module and no room imports itself by way of others."""

from __future__ import annotations

import pytest
from import_graph import circle, import_graph, rooms

PACKAGES = (
    "contract", "lambdas", "infra", "edgecore", "device", "devcloud", "fanfold", "models",
    "bench", "replay",
)  # fmt: skip
#: Their rooms are the folders one level down; a loose module is a room of its own.
HOUSES = (
    "contract", "lambdas", "infra", "edgecore", "device", "devcloud", "fanfold", "models", "bench",
    "replay",
)  # fmt: skip


@pytest.fixture(scope="module")
def graph():
    return import_graph(PACKAGES)


def test_no_module_imports_itself_by_way_of_others(graph):
    assert circle(graph) == []


@pytest.mark.parametrize("house", HOUSES)
def test_no_room_imports_itself_by_way_of_others(graph, house):
    within = {
        name: {t for t in targets if t.startswith(f"{house}.")}
        for name, targets in graph.items()
        if name.startswith(f"{house}.")
    }

    assert within
    assert circle(rooms(within, lambda name: ".".join(name.split(".")[:2]))) == []


def test_no_room_of_any_package_imports_itself_by_way_of_others(graph):
    assert circle(rooms(graph, lambda name: ".".join(name.split(".")[:2]))) == []


def test_no_module_imports_a_verb_for_main_loads_them_by_name(graph):
    verbs = {name for name in graph if name.startswith("fanfold.verbs.")}

    assert len(verbs) > 10
    assert {name for name, targets in graph.items() if targets & verbs} == set()


def test_a_circle_would_be_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
