"""Bundle and Core component carry every module that their programs import."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable

import pytest
from import_graph import import_graph

from device.bundle.build import ON_DEVICE
from infra.packaging import build_core

PROGRAMS = ("device.install.__main__", "device.install.uninstall", "device.launcher.__main__")


@pytest.fixture(scope="module")
def graph():
    return import_graph(("contract", "device", "edgecore", "infra", "lambdas"))


def needed(graph, programs: Iterable[str]) -> set[str]:
    """These modules and all that they import of ours, by way of others too."""
    found: set[str] = set()
    waiting = list(programs)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def test_a_bundle_carries_what_installer_and_launcher_import(graph):
    carried = {f"device.{room}" for room in ON_DEVICE}

    outside = {name for name in needed(graph, PROGRAMS) if name.rpartition(".")[0] not in carried}

    assert outside <= {"device", *carried}


def test_a_core_component_carries_what_its_program_imports(graph, tmp_path):
    (tmp_path / "group.json").write_text("{}")
    made = build_core(tmp_path / "core.zip", tmp_path / "group.json", tmp_path / "group.json")
    with zipfile.ZipFile(made) as archive:
        carried = set(archive.namelist())

    wanted = needed(graph, ["device.component.core"])

    assert len(wanted) > 5
    files = {f"lib/{name.replace('.', '/')}" for name in wanted}
    assert {f for f in files if not {f"{f}.py", f"{f}/__init__.py"} & carried} == set()
