"""`fanfold logs`: whose lines, about which image, and what comes while it follows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import PROJECT


def line(t: float, message: str, **more: object) -> str:
    return json.dumps({"t": t, "level": "WARNING", "logger": "x", "message": message, **more})


@pytest.fixture
def logs(fanfold, tmp_path: Path) -> Path:
    """What a core left that ran here."""
    folder = tmp_path / "state" / "core" / "hall" / "logs"
    folder.mkdir(parents=True)
    about = {"image": "m-17/0", "stream": "cam1", "seq": 41}
    (folder / "w0.log").write_text(line(2.0, "second", **about) + "\nprinted by a hook\n")
    (folder / "w1.log").write_text(line(1.0, "first") + "\n" + line(3.0, "third") + "\n")
    (folder / "splitter.log").touch()
    return folder


def test_all_logs_are_merged_in_order_of_time_and_text_stays_behind_its_line(fanfold, logs) -> None:
    said = fanfold("logs", "--json")

    messages = [json.loads(each)["message"] for each in said.out.splitlines()]
    assert messages == ["first", "second", "printed by a hook", "third"]
    assert "no core runs" in said.err


@pytest.mark.parametrize("image", ["m-17/0", "cam1/41"])
def test_the_lines_of_one_image_are_found_by_id_or_number(fanfold, logs, image: str) -> None:
    said = fanfold("logs", "--image", image)

    [only] = said.out.splitlines()
    assert only.startswith("w0")
    assert "second" in only
    assert "seq=41" in only


def test_a_function_that_said_nothing_is_no_error_and_an_unknown_one_names_those(
    fanfold, logs
) -> None:
    silent, unknown = fanfold("logs", "splitter"), fanfold("logs", "w9")

    assert (silent.code, silent.out) == (0, "")
    assert unknown.code == 2
    assert "splitter, w0, w1" in unknown.err


def test_what_comes_is_printed_until_interrupted(logs: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fanfold.main", "logs", "w0", "--follow", "-n", "1"],
        stdout=subprocess.PIPE, text=True, cwd=PROJECT,
        env={**os.environ, "FANFOLD_STATE": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"},
        # Whoever runs the tests in the background of a shell ignores it, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "printed by a hook\n"
        with (logs / "w0.log").open("a") as log:
            log.write(line(4.0, "something new") + "\n")
        assert "something new" in process.stdout.readline()
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
