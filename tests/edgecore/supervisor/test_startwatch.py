"""A worker that never asks for work: what proves that it is stuck, and what does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from edgecore.supervisor.isolation import bubblewrap
from edgecore.supervisor.procstate import ProcessState, process_state
from edgecore.supervisor.startwatch import QUIET_AFTER_S, StartWatch, start_limit_s

SLEEPING = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(600)"]
STOPPED = ProcessState(stopped=True, cpu_s=1.0)


def running(cpu_s: float = 1.0) -> ProcessState:
    return ProcessState(stopped=False, cpu_s=cpu_s)


def watch(limit_s: float | None = None) -> StartWatch:
    return StartWatch(timeout_s=3.0, start_limit_s=limit_s, started_at=0.0)


@pytest.mark.parametrize("fetched", [False, True])
def test_a_stopped_process_is_hung_after_its_timeout_whether_or_not_it_had_begun(fetched) -> None:
    one = watch()
    assert one.look(10.0, STOPPED, fetched=fetched) == (None, None)
    assert one.look(12.9, STOPPED, fetched=fetched) == (None, None)
    assert "stopped by a signal" in str(one.look(13.0, STOPPED, fetched=fetched).kill)


def test_a_process_that_goes_on_in_time_is_left_alone() -> None:
    one = watch()
    for now in range(0, 40, 2):
        state = STOPPED if now % 4 else running()
        assert one.look(float(now), state, fetched=True) == (None, None)


def test_a_limit_that_the_function_named_ends_a_start_that_computes() -> None:
    one = watch(limit_s=60.0)
    assert one.look(60.0, running(50.0), fetched=False) == (None, None)
    assert "within 60 s" in str(one.look(60.1, running(60.0), fetched=False).kill)
    assert one.look(99.0, running(60.0), fetched=True) == (None, None), "it has begun"


def test_without_a_limit_a_start_may_take_for_ever_and_an_idle_one_is_only_told() -> None:
    working, idle = watch(), watch()
    for now in range(0, 1000, 10):
        assert working.look(float(now), running(now / 10), fetched=False) == (None, None)
    told = [idle.look(float(now), running(), fetched=False) for now in range(0, 1000, 10)]
    assert {outcome.kill for outcome in told} == {None}
    assert told[int(QUIET_AFTER_S) // 10 - 1].warn is None
    assert "no CPU" in str(told[int(QUIET_AFTER_S) // 10].warn)


@pytest.mark.parametrize(
    ("text", "limit_s"),
    [(None, None), ("300", 300.0), ("1.5", 1.5), ("0", None), ("-3", None), ("inf", None),
     ("nan", None), ("soon", None)],
)  # fmt: skip
def test_a_limit_that_is_no_time_is_ignored_and_said(text, limit_s) -> None:
    found, problem = start_limit_s({} if text is None else {"FANFOLD_START_TIMEOUT_S": text})
    assert found == limit_s
    assert (problem is None) == (text is None or limit_s is not None)


def test_linux_tells_a_stopped_process_from_one_that_sleeps() -> None:
    with subprocess.Popen(SLEEPING, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert process_state(process.pid).stopped is False
        os.kill(process.pid, signal.SIGSTOP)
        eventually(lambda: process_state(process.pid).stopped, "stopped")
        process.kill()
    assert process_state(process.pid) is None


@pytest.mark.skipif(bubblewrap() is None, reason="no working bubblewrap here")
def test_in_a_container_the_inner_process_counts() -> None:
    container = ["bwrap", "--bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--dev", "/dev"]
    with subprocess.Popen([*container, "--", *SLEEPING], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        inner = process.pid
        while children := _children(inner):
            inner = children[0]
        os.kill(inner, signal.SIGSTOP)
        eventually(lambda: process_state(process.pid, container=True).stopped, "inner stopped")
        assert process_state(process.pid).stopped is False
        os.kill(inner, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_function_frozen_in_its_module_is_found_and_replaced(site: Any) -> None:
    once = """
import os, signal
try:
    os.mkdir("been-here")
    os.kill(os.getpid(), signal.SIGSTOP)
except FileExistsError:
    pass
def handler(e, c): pass
"""
    site.function("frozen", once, Timeout=1)
    site.start()
    eventually(lambda: site.of("frozen")["state"] == "running", "replaced and running")
    assert site.of("frozen")["restarts"] == 1
    assert "stopped by a signal" in site.of("frozen")["last_error"]


def test_a_start_longer_than_the_functions_own_limit_is_ended(site: Any) -> None:
    once = """
import os, time
try:
    os.mkdir("been-here")
    while True: pass
except FileExistsError:
    pass
def handler(e, c): pass
"""
    site.function("busy", once, Timeout=60, variables={"FANFOLD_START_TIMEOUT_S": "2"})
    site.function("free", "import time\ntime.sleep(600)\n", Timeout=1)
    site.start()
    eventually(lambda: site.of("busy")["state"] == "running", "replaced and running")
    assert "within 2 s" in site.of("busy")["last_error"]
    assert site.of("free")["restarts"] == 0, "nothing says that it should serve messages"
