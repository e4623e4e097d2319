"""What the core's command line takes from its environment."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys

import pytest
from checkout import PROJECT
from small_disks import small_disk_at

from edgecore.__main__ import parser
from edgecore.daemon.core_log import LogFile


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], "http://localhost:5005"), (["--endpoint-url", "http://other"], "http://other")],
)
def test_a_development_cloud_of_the_shell_is_the_functions_too(monkeypatch, arguments, expected):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:5005")

    given = parser().parse_args(["--group", "greengrass:demo", *arguments])

    assert given.endpoint_url == expected


def test_a_core_on_a_read_only_state_volume_ends_with_one_line_that_says_what_to_do(tmp_path):
    with small_disk_at(tmp_path / "disk", 2) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        command = [sys.executable, "-m", "edgecore", "--group", "x.json", "--state", f"{disk}/core"]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    [line] = done.stderr.splitlines()
    assert f"--state {disk}/core: the core cannot write there: Read-only file system" in line
    assert "writable" in line
    assert done.returncode == 3


def test_a_log_that_takes_nothing_is_said_once_and_its_lines_go_on_to_stderr(tmp_path, capsys):
    def refuse():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    log = LogFile(tmp_path / "core.log", maxBytes=1000)
    log.stream.flush = refuse
    for number in range(3):
        log.emit(logging.makeLogRecord({"msg": f"line {number}"}))
    del log.stream.flush
    log.emit(logging.makeLogRecord({"msg": "it works again"}))
    log.close()

    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{tmp_path}/core.log: Read-only file system")
    assert (tmp_path / "core.log").read_text().endswith("it works again\n")
