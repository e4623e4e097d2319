"""The console's connection: what it leaves behind, against mosquitto."""

from __future__ import annotations

import gc
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from mosquitto import free_port

from fanfold.common.errors import UserError
from fanfold.sending import mqtt
from fanfold.sending.mqtt import Console


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Any]:
    """A broker in a core's place."""
    port, config = free_port(), tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    program = shutil.which("mosquitto")
    assert program, "mosquitto is not installed"
    broker = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        _await_port(port)
        yield SimpleNamespace(info={"thing": "hall"}, port=lambda _name: port)
    finally:
        broker.terminate()
        broker.wait(10)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while not _listens(port):
        assert time.monotonic() < deadline, "mosquitto does not listen"
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


def test_consoles_that_are_done_leave_no_descriptor_open(core: Any) -> None:
    """Without waiting for a collection: `select` ends at 1,024."""
    with Console(core, ["results"]):
        before = psutil.Process().num_fds()
    gc.disable()
    try:
        for _ in range(5):
            with Console(core, ["results"]):
                pass
        assert psutil.Process().num_fds() < before
    finally:
        gc.enable()


def test_a_console_that_gets_no_answer_lets_its_connection_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(10)
        port = silent.getsockname()[1]
        core = SimpleNamespace(info={"thing": "hall"}, port=lambda _name: port)
        with pytest.raises(UserError, match=r"no answer in 0\.2 s"):
            Console(core, []).__enter__()  # type: ignore[arg-type]
        heard, _ = silent.accept()
        heard.settimeout(10)
        while heard.recv(1024):
            pass
        heard.close()
