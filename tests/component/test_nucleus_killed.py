"""A nucleus killed in the middle of a deployment comes back and deploys again; images flow on.

A Java nucleus that dies leaves its components' processes behind, unless systemd ends them with it.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from checkout import PROJECT
from v2_device import THING, Flow, V2Device
from waiting import eventually

SCRIPT = Path(__file__).with_name("nucleus_process.py")
pytestmark = [pytest.mark.story, pytest.mark.in_order, pytest.mark.xdist_group("nucleus_killed")]


class Killable:
    """A nucleus in a process of its own."""

    def __init__(self, device: V2Device) -> None:
        self.device = device
        self._runs = 0
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, recipes: Sequence[Any], hold: str = "") -> None:
        """It comes up and deploys these."""
        self._runs += 1
        self._file = self.device.folder / f"nucleus-{self._runs}.json"
        given = {
            "root": str(self.device.folder / "gg"), "thing": THING, "recipes": recipes,
            "hold": hold, "files": {uri: str(path) for uri, path in self.device.files.items()},
        }  # fmt: skip
        self._file.write_text(json.dumps(given))
        command = [sys.executable, str(SCRIPT), str(self._file)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        with (self.device.folder / "nucleus.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def until_held(self) -> None:
        eventually(self._file.with_suffix(".held").exists, self._log, 90)

    def ended(self) -> Any:
        ended = self._file.with_suffix(".ended")
        eventually(ended.exists, self._log, 120)
        return json.loads(ended.read_text())

    def states(self) -> dict[str, str]:
        path = self._file.with_suffix(".states")
        return json.loads(path.read_text()) if path.exists() else {}

    def kill(self, *, everything: bool) -> None:
        """Alone, or with all that it started, as systemd kills a unit's group."""
        assert self._process is not None
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for each in family if everything else []:
            each.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)

    def _log(self) -> str:
        return (self.device.folder / "nucleus.log").read_text() + self.device.log("Core")


@pytest.fixture(scope="module")
def nucleus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killable]:
    made = Killable(V2Device(tmp_path_factory.mktemp("v2")))
    made.begin(made.device.recipes(made.device.model("1.0.0")))
    try:
        assert made.ended()["said"] == "SUCCEEDED"
        made.device.until_ready()
        yield made
    finally:
        made.stop()


KINDS = ("left", "taken")
#: Where in a deployment of a new Core and a new Model; the last one to be exchanged is the Model.
POINTS = ("download", "install", "exchange")
CHEAP = ("install", "left")


CASES = [
    pytest.param(*case, marks=() if case == CHEAP else pytest.mark.soak)
    for case in itertools.product(POINTS, KINDS)
]


@pytest.mark.parametrize(("point", "kind"), CASES)
def test_a_nucleus_killed_during_a_deployment_deploys_again_and_no_image_is_lost(
    nucleus: Killable, point: str, kind: str
) -> None:
    device = nucleus.device
    number = POINTS.index(point) * len(KINDS) + KINDS.index(kind)
    model = device.model(f"2.{number}.0", wait_ms=5 + number)
    wanted = device.recipes(model, window=3 + number)
    nucleus.stop()

    with Flow(device, rate=10):
        nucleus.begin(wanted, hold=point)
        nucleus.until_held()
        if point == "install":
            assert model.name in (device.work / "offers" / "model.json").read_text()
        nucleus.kill(everything=kind == "taken")
        nucleus.begin(wanted)
        assert nucleus.ended()["said"] == "SUCCEEDED"
        eventually(lambda: _newest(device) == f"2.{number}.0", lambda: device.log("Core"))

    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert device.tally() == {"lost": 0, "twice": 0, "holes": 0}
    states = nucleus.states()
    assert states[f"fanfold.{device.site}.Core"] == "RUNNING"
    assert "BROKEN" not in states.values()
    # A launcher that forks is two until its child has become the core.
    eventually(lambda: _launchers(device) == 1, lambda: f"{_launchers(device)} launchers")
    if kind == "left":
        log = device.folder / "gg" / "logs" / f"fanfold.{device.site}.Core.log"
        assert "is a launcher that an earlier nucleus left" in log.read_text()


def _newest(device: V2Device) -> str:
    newest = device.records()[-1:]
    return str(newest[0].get("model", {}).get("version")) if newest else ""


def _launchers(device: V2Device) -> int:
    """Of this device, by their folder."""
    found = 0
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or [""]
        runs = "python" in command[0] and any("run_component" in part for part in command)
        found += runs and process.info["cwd"] == str(device.work)
    return found
