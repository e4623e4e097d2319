"""Waits end when they should, whatever is done to the clock meanwhile."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from shims import shim

from lambdas.common.waiting import Flag, WakeUp, ended_within

ROOT = Path(__file__).resolve().parents[3]
HELD_TO_IT = ("contract", "lambdas", "edgecore/runtime")
AN_HOUR_BACK = "-3600"

#: Says when it begins to wait, and ends when the wait does.
WAITS = {
    "flag": "from lambdas.common.waiting import Flag; f = Flag(); say(); f.is_set_within(1)",
    "wake-up": "from lambdas.common.waiting import WakeUp; w = WakeUp(); say(); "
    "w.is_woken_within(1)",
    "thread": "from lambdas.common.waiting import ended_within; import threading\n"
    "t = threading.Thread(target=threading.Event().wait, daemon=True); t.start()\n"
    "say(); ended_within(t, 1)",
    "loop": "from lambdas.common.loop import Loop, Part\n"
    "class Ten(Part):\n"
    "    n = 0\n"
    "    def step(self, messages, now, wall):\n"
    "        self.n += 1; self.n == 2 and say()\n"
    "        if self.n == 10: import os; os._exit(0)\n"
    "Loop(Ten(), tick_s=0.2).start()._thread.join()",
}
SAY = "def say(): print('waiting', flush=True)\n"
STANDARD = "import threading; e = threading.Event(); say(); [e.wait(1) for _ in range(3)]"


def waiter(code: str, offset: Path) -> subprocess.Popen[bytes]:
    """A process in the middle of `code`'s wait, on a clock that `offset` moves."""
    offset.write_text("0")
    environment = {
        **os.environ, "LD_PRELOAD": str(shim("clock")), "CLOCK_OFFSET_FILE": str(offset),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", SAY + code], env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    return process


@pytest.mark.parametrize("wait", sorted(WAITS))
def test_a_clock_set_back_by_an_hour_does_not_stretch_a_wait(wait: str, tmp_path: Path) -> None:
    process = waiter(WAITS[wait], tmp_path / "offset")
    with process:
        (tmp_path / "offset").write_text(AN_HOUR_BACK)
        assert process.wait(20) == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 11), reason="3.11 waits on the monotonic clock")
def test_the_shim_stretches_the_waits_of_the_standard_library(tmp_path: Path) -> None:
    process = waiter(STANDARD, tmp_path / "offset")
    with process:
        for hours in range(1, 9):  # the shim looks each 50 ms: one of them falls before its look
            (tmp_path / "offset").write_text(str(-3600 * hours))
            time.sleep(0.1)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(6)
        process.kill()


def test_a_flag_wakes_everybody_who_waits_for_it() -> None:
    flag, woken = Flag(), []
    threads = [
        threading.Thread(target=lambda: woken.append(flag.is_set_within(60))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    flag.set()

    assert all(ended_within(thread, 20) for thread in threads)
    assert woken == [True] * 3
    assert flag.is_set()


def test_rings_that_nobody_has_heard_count_as_one() -> None:
    wake_up = WakeUp()
    for _ in range(100_000):  # more than a pipe holds
        wake_up.wake()

    while_heard = 0
    while wake_up.is_woken_within(0):
        while_heard += 1
    assert 1 <= while_heard <= 64
    wake_up.wake()
    assert wake_up.is_woken_within(0)


def wall_clock_waits(source: str) -> list[str]:
    """The timed waits of the standard library that `source` makes, as `line: call`."""
    return [
        f"{node.lineno}: {ast.get_source_segment(source, node.func)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and _is_timed(node, node.func)
    ]


def _is_timed(call: ast.Call, function: ast.Attribute) -> bool:
    keywords = {keyword.arg for keyword in call.keywords}
    name, given = function.attr, len(call.args)
    if name in ("Event", "Timer", "Barrier"):
        return isinstance(function.value, ast.Name) and function.value.id == "threading"
    if name == "join":
        receiver = ast.unparse(function.value) if sys.version_info >= (3, 9) else ""
        return "timeout" in keywords or (bool(given) and "thread" in receiver)
    limits = {"wait": 1, "wait_for": 2, "acquire": 2, "get": 3, "put": 3}
    return name in limits and ("timeout" in keywords or given >= limits[name])


@pytest.mark.parametrize(
    "code",
    [
        "e.wait(1)", "c.wait(timeout=t)", "c.wait_for(f, 1)", "l.acquire(True, 1)",
        "q.get(timeout=1)", "q.put(1, True, 2)", "threading.Event()", "t.join(timeout=2)",
    ],
)  # fmt: skip
def test_the_rule_finds_a_timed_wait(code: str) -> None:
    assert wall_clock_waits(code)


@pytest.mark.parametrize(
    "code",
    ["c.wait()", "q.get()", "d.get(k, v)", "l.acquire()", '", ".join(x)', "f.is_set_within(1)"],
)
def test_the_rule_leaves_other_calls_alone(code: str) -> None:
    assert not wall_clock_waits(code)


def test_nothing_that_runs_on_a_device_waits_on_the_wall_clock() -> None:
    files = [path for folder in HELD_TO_IT for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {
        f"{path.relative_to(ROOT)}:{wait}"
        for path in files
        for wait in wall_clock_waits(path.read_text())
    }

    assert len(files) > 50
    assert not found, "use lambdas.common.waiting instead"


ENDING = """
import atexit
atexit.register(lambda: print("rung" if wake_up.is_woken_within(5.0) else "silent"))
from lambdas.common.waiting import WakeUp
wake_up = WakeUp()
wake_up.wake()
"""


def test_who_waits_while_the_interpreter_ends_still_hears():
    """A loop that found its pipe closed would end the process as broken."""
    done = subprocess.run(
        [sys.executable, "-c", ENDING],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == ("rung\n", "", 0)
