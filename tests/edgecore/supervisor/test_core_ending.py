"""How a function ended, and what the next process is told of it."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from test_core_functions import SDK, ups
from waiting import eventually

from edgecore.core.ending import signal_of
from edgecore.supervisor.isolation import bubblewrap

TELLS = """
up(pid=os.getpid(), earlier_end=os.environ.get("FANFOLD_EARLIER_END", ""))
def handler(e, c): pass
"""


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (-signal.SIGSEGV, "SIGSEGV"),
        (128 + signal.SIGABRT, "SIGABRT"),  # as bubblewrap tells it
        (-signal.SIGKILL, "SIGKILL"),
        (128 + signal.SIGKILL, "SIGKILL"),
        (0, ""),
        (1, ""),
        (70, ""),
        (255, ""),
    ],
)
def test_a_signal_is_told_from_an_end_of_its_own(status: int, name: str) -> None:
    assert signal_of(status) == name


def started(site: Any, lives: int) -> dict[str, Any]:
    """What the function said at its latest start, which asks for work by now."""
    eventually(lambda: len(ups(site)) == lives, f"{lives} lives")
    eventually(lambda: site.of("one")["state"] == "running", "asks for work")
    return ups(site)[-1]


def test_the_next_process_is_told_which_signal_ended_the_last_one(site) -> None:
    site.function("one", SDK + TELLS)
    site.connect("one", "up", "cloud")
    site.start()
    told = [started(site, 1)]
    for number in (signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT):
        os.kill(told[-1]["pid"], number)
        told.append(started(site, len(told) + 1))
    assert [life["earlier_end"] for life in told] == ["", "SIGSEGV", "SIGKILL", "SIGABRT"]


@pytest.mark.skipif(bubblewrap() is None, reason="bubblewrap does not work on this machine")
def test_a_signal_inside_a_container_is_told_too(site) -> None:
    source = SDK + TELLS.replace("pass", "import ctypes; ctypes.string_at(0)")
    site.function("one", source, isolation="GreengrassContainer", MemorySize=400000)
    talk = 'threading.Timer(1, lambda: iot.publish(topic="in", payload="1")).start()\n'
    site.function("a", SDK + talk + "def handler(e, c): pass\n")
    site.connect("a", "in", "one")
    site.connect("one", "up", "cloud")
    site.start()
    assert started(site, 2)["earlier_end"] == "SIGSEGV"


def test_a_life_that_never_asked_for_work_changes_nothing_about_the_one_before(site) -> None:
    source = """
marker = os.path.join(os.environ["MARKS"], "aborts")
if os.path.exists(marker):
    os.unlink(marker)
    os.abort()
"""
    site.function("one", SDK + source + TELLS, variables={"MARKS": str(site.state)})
    site.connect("one", "up", "cloud")
    site.start()
    first = started(site, 1)
    (site.state / "aborts").touch()
    os.kill(first["pid"], signal.SIGKILL)
    assert started(site, 2)["earlier_end"] == "SIGKILL"
    assert not (site.state / "aborts").exists()
