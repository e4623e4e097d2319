"""Forks of a server that has imported something are processes as `subprocess` makes them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from forked import Forked, fork, start_server
from forked_core import may_fork

SERVER = """
import os, signal, sys, time
import fork_server

def main(arguments):
    print(os.getcwd(), os.environ["WORD"], os.getsid(0) == os.getpid(), flush=True)
    if arguments == ["wait"]:
        time.sleep(600)
    if arguments == ["raise"]:
        raise ValueError("said")
    sys.exit(3)

fork_server.end(main, fork_server.become(fork_server.serve(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> str:
    script = tmp_path_factory.mktemp("server") / "server.py"
    script.write_text(SERVER)
    return start_server(script)


def start(server: str, folder: Path, *arguments: str, session: bool = False) -> Forked:
    with (folder / "out").open("wb") as out:
        given = [0, out.fileno(), out.fileno()]
        environment = {"WORD": "known"}
        return fork(
            server, arguments, cwd=folder, env=environment, descriptors=given, session=session
        )


def test_a_fork_has_its_own_folder_environment_session_and_exit_code(server, tmp_path) -> None:
    process = start(server, tmp_path, session=True)

    assert process.wait(60) == 3
    assert (tmp_path / "out").read_text() == f"{tmp_path} known True\n"
    assert (process.poll(), process.returncode) == (3, 3)


def test_a_fork_that_is_killed_is_told_by_its_signal(server, tmp_path) -> None:
    process = start(server, tmp_path, "wait")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)

    process.kill()

    assert process.wait(60) == -signal.SIGKILL
    process.terminate()  # of nobody: its number may be another's


def test_a_fork_that_fails_says_why_and_ends_with_1(server, tmp_path) -> None:
    assert start(server, tmp_path, "raise").wait(60) == 1
    assert "ValueError: said" in (tmp_path / "out").read_text()


def test_a_core_is_no_fork_where_its_start_would_read_another_environment() -> None:
    assert may_fork({**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert not may_fork({**os.environ, "LD_PRELOAD": "shim.so"})
    assert not may_fork({**os.environ, "PYTHONPATH": "elsewhere"})
