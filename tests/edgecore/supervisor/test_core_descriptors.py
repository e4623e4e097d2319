"""Whoever connects and says nothing keeps no function from being started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

WORKS = """
import os, threading, time
import greengrasssdk
def go():
    while True:
        greengrasssdk.client("iot-data").publish(topic="up", payload='{"pid": %d}' % os.getpid())
        time.sleep(0.2)
threading.Thread(target=go, daemon=True).start()
def handler(e, c): pass
"""
CROWD = """
import resource, select, socket, sys, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
held = []
for target in sys.argv[2:]:
    for _ in range(int(sys.argv[1])):
        try:
            if target.startswith("@"):
                one = socket.socket(socket.AF_UNIX)
                one.connect(target.replace("@", chr(0), 1))
            else:
                one = socket.create_connection(("127.0.0.1", int(target)), timeout=5)
            held.append(one)
        except OSError:
            pass
print(len(held), flush=True)
sys.stdin.read()
"""


def ways_in(site: Any) -> list[str]:
    ports = json.loads((site.state / "core.json").read_text())["ports"]
    pid = site.of("w0")["pid"]
    environment = dict(
        entry.split(b"=", 1)
        for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if b"=" in entry
    )
    unix = environment[b"FANFOLD_IPC_SOCKET"].decode()
    return [str(ports["http"]), str(ports["ipc"]), unix, str(ports["mqtt_plain"])]


@pytest.mark.parametrize(("limit", "each"), [(256, 300), (64, 100)])
def test_a_killed_function_works_again_beside_a_silent_crowd(site, limit: int, each: int) -> None:
    site.function("w0", WORKS)
    site.connect("w0", "up", "cloud")
    site.prefix = ["prlimit", f"--nofile={limit}:{limit}"]
    site.start("--mqtt-plain-port", "0")
    eventually(site.cloud, "it works")
    crowd = subprocess.Popen(
        [sys.executable, "-c", CROWD, str(each), *ways_in(site)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with crowd:
        assert crowd.stdout is not None
        assert int(crowd.stdout.readline()) > limit
        first = site.of("w0")["pid"]
        os.kill(first, signal.SIGKILL)
        eventually(
            lambda: site.cloud()[-1]["payload"]["pid"] != first, "its next process works as well"
        )
        port = ways_in(site)[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/live", timeout=10) as answer:
            assert answer.read() == b"live\n"
        crowd.communicate(b"")


def test_the_soft_limit_is_raised_to_the_hard_one(site) -> None:
    site.function("w0", "def handler(e, c): pass\n")
    site.prefix = ["prlimit", "--nofile=100:777"]
    site.start()

    limits = Path(f"/proc/{site.process.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3:5] == ["777", "777"]
