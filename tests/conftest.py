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
from collecting import give_turns, in_turn, take_back_turns
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# Thousands of interpreters are started from here: they keep the byte code of what they import.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# So does the CDK's command line.
if "FANFOLD_NODE_CACHE" not in os.environ:
    _kit = Path(__file__).parent / "kit"
    os.environ["FANFOLD_NODE_CACHE"] = str(_kit.parents[1] / "build" / "node")
    _option = f'--require "{_kit / "compile_cache.js"}"'
    os.environ["NODE_OPTIONS"] = f"{os.environ.get('NODE_OPTIONS', '')} {_option}".strip()

# How long an example takes says how busy the machine is, and nothing about a property.
settings.register_profile(
    "fanfold", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
#: Of `make soak`: properties that name no number of examples, over many.
settings.register_profile("many", settings.get_profile("fanfold"), max_examples=2_000)
settings.load_profile("fanfold")

#: Of a long form that names no limit of its own.
SOAK_S = 7_200
#: Room → what its tests share, and do in one process.
TOGETHER = {
    "devcloud": "a development cloud",
    "fanfold/cloud/test_whole_life.py": "a second cloud",
    "fanfold/cloud/test_landed.py": "a second cloud",
    "fanfold/cloud/test_preflight.py": "a second cloud",
    "fanfold/cloud/test_diff_and_rollback.py": "a second cloud",
    "fanfold/cloud": "a third cloud",
    "infra/stacks": "the CDK in Node",
    "replay/test_replay_array.py": "the CDK in Node",
    "edgecore/sources": "sources",
    "chaos/test_chaos_credentials.py": "a core of credentials",  # its rows share one core
}
APART = (
    "docs/test_guides_run.py",
    "e2e/test_strategies.py",
    "edgecore/supervisor/test_core_functions.py",
    "lambdas/whole",
)
#: What takes the longest goes first, so that all processes end together: by the seconds of
#: `build/reports/unit.xml` and `device.xml`, the longest at the top.
FIRST = (
    "a development cloud",
    "a second cloud",
    "a third cloud",
    "docs/test_guides_on_one_core.py",
    "docs/test_guides_with_a_cloud.py",
    "e2e/test_whole_loop.py",
    "chaos/test_chaos_disks.py",
    "chaos/test_chaos_restore.py",
    "edgecore/daemon/test_verdict_of_a_tight_core.py",
    "component/test_full_disk.py",
    "e2e/test_bundle.py",
    "a core of credentials",
    "the CDK in Node",
    "component",
    "edgecore/web/dashboard/test_page_",
    "edgecore/daemon/test_verdict_of_a_held_core.py",
    "docs/test_guides_",
    "fanfold/test_drain.py",
    "fanfold/test_live_cameras.py",
    "edgecore/supervisor/test_core_descriptors.py",
    "edgecore/daemon/test_verdict_",
    "e2e",
    "chaos/test_chaos_jobs.py",
    "chaos/test_chaos_deploy.py",
    "chaos",
    "edgecore/web",
    "edgecore/daemon",
    "replay",
    "device",
    "conformance",
    "fanfold",
    # Of the device's.
    "lambdas/grabber",
    "lambdas/whole",
    "lambdas/model",
    "models/device",
    "lambdas/pool",
    "lambdas/common",
)


def pytest_configure(config: pytest.Config) -> None:
    """Thousands of tests are collected, by each process, and stay: nothing of them is garbage."""
    gc.disable()


@pytest.hookimpl(hookwrapper=True)
def pytest_collection(session: pytest.Session) -> Any:
    with in_turn(session.config):
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    give_turns(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    take_back_turns(node)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What tests make is mostly freed as it goes: looking through it seldom costs a tenth less."""
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
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
        self.workqueue.move_to_end(min(self.workqueue, key=_rank), last=False)
        super()._assign_work_unit(node)


def _rank(scope: str) -> int:
    below = _below_tests(scope)
    return next((rank for rank, first in enumerate(FIRST) if below.startswith(first)), len(FIRST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _restore_stories(items)
    _give_time(items)


def _below_tests(nodeid: str) -> str:
    """As the tooling's run names it; the device's is rooted in the folder."""
    return nodeid[len("tests/") :] if nodeid.startswith("tests/") else nodeid


def _group(path: str) -> str | None:
    for room, shared in TOGETHER.items():
        if path == room or path.startswith(room + "/"):
            return shared
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
