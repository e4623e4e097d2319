"""Which tests may run beside one another (`pytest -n`), and which only in their order.

Tests of one module stay in one process, as they share its fixtures. A room that shares something
costly stays together as a whole; where every test starts a whole core of its own, each goes to
whichever process is free.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# Thousands of interpreters are started from here: they keep the byte code of what they import.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says how busy the machine is, and nothing about a property.
settings.register_profile("fanfold", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fanfold")

#: Of a long form that names no limit of its own.
SOAK_S = 7_200
TOGETHER = (
    "devcloud",
    "infra/stacks",
    "edgecore/sources",
    "chaos/test_chaos_credentials.py",  # its rows share one core
)
APART = (
    "chaos",
    "docs/test_guides_run.py",
    "e2e/test_strategies.py",
    "edgecore/supervisor/test_core_functions.py",
    "lambdas/whole",
)
#: They take the longest and go first, so that all processes end together.
FIRST = (
    "devcloud",
    "fanfold/cloud",
    "e2e",
    "docs/test_guides_",
    "lambdas/whole/",
    "component",
    "chaos",
)


def pytest_configure(config: pytest.Config) -> None:
    """Thousands of tests are collected, by each process, and stay: nothing of them is garbage."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rooms:
    return Rooms(config, log)


class Rooms(LoadScopeScheduling):
    """By where a test is, as pytest 9.2 does not see the marks of xdist 3.8's `loadgroup`."""

    def _split_scope(self, nodeid: str) -> str:
        path = _below_tests(nodeid).partition("::")[0]
        return _group(path) or nodeid

    def _assign_work_unit(self, node: Any) -> None:
        first = next((s for s in self.workqueue if _below_tests(s).startswith(FIRST)), None)
        if first is not None:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _restore_stories(items)
    _give_time(items)


def _below_tests(nodeid: str) -> str:
    """As the tooling's run names it; the device's is rooted in the folder."""
    return nodeid[len("tests/") :] if nodeid.startswith("tests/") else nodeid


def _group(path: str) -> str | None:
    for room in TOGETHER:
        if path == room or path.startswith(room + "/"):
            return room
    return None if path.startswith(APART) else path


def _give_time(items: list[pytest.Item]) -> None:
    """A long form may be long. The limit ends a test wherever it is: within an example it looks to
    hypothesis as if data were drawn differently, and it reports `FlakyStrategyDefinition`."""
    for item in items:
        if item.get_closest_marker("soak") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SOAK_S))


def _restore_stories(items: list[pytest.Item]) -> None:
    """A module marked `in_order` is one story: its tests go back to the order of its lines."""
    stories: dict[Path, list[int]] = {}
    for place, item in enumerate(items):
        if item.get_closest_marker("in_order"):
            stories.setdefault(item.path, []).append(place)
    for places in stories.values():
        chapters = sorted((items[place] for place in places), key=_line)
        for number, place in enumerate(places):
            items[place] = chapters[number]


def _line(item: pytest.Item) -> int:
    return item.location[1] or 0
