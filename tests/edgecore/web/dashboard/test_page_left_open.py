"""Two browsers left open, in minutes: a core that is started anew, and a week of its states.

The core's feed is made fast (a page gets two states a second from one that is not), cameras send
all the time, and the core is started anew as often as a week has days. What a page and the core
hold must not follow what has gone through them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from checkout import PROJECT
from chromium import CHROMIUM, NODE, needs_chromium
from dashboard_replay import ReplayCore
from dashboard_serving import TOKEN, serving
from paho.mqtt.enums import CallbackAPIVersion
from real_core import RealCore

from fanfold.device.interpreters import device_python

MINUTES = float(os.environ.get("FANFOLD_OPEN_MINUTES", "20"))
STATES_A_SECOND = 60
STATES = int(os.environ.get("FANFOLD_OPEN_STATES", "60000"))
"""A core sends two a second, 1,209,600 in a week. The page may hold OWN_BYTES more after these:
one small object kept of each would be half a megabyte. 2,800 are enough to find that."""
DAYS = 7
OWN_BYTES = 32 << 10
IMAGES_A_SECOND = 40
STARTS = 7
LOOK_S = 10
MB = 1 << 20
BOOT = (
    "import runpy, sys; from edgecore.web.dashboard import feed; "
    f"feed.INTERVAL_S = 1 / {STATES_A_SECOND}; "
    "sys.argv[0] = 'edgecore'; runpy.run_module('edgecore', run_name='__main__')"
)

pytestmark = [
    needs_chromium,
    pytest.mark.soak,
    pytest.mark.timeout(MINUTES * 60 + 7200),
]


class QuickCore:
    """The core that `fanfold run` started, started again by its own arguments with a quick feed."""

    def __init__(self, hall: RealCore) -> None:
        self._hall = hall
        pid = hall.info["pid"]
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        self._words = words[words.index("edgecore") + 1 :]
        at = self._words.index("--http-port")
        self._words[at + 1] = str(hall.port)
        at = self._words.index("--mqtt-plain-port")
        self._words[at + 1] = str(hall.info["ports"]["mqtt_plain"])
        self._environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        hall.stop()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._hall.folder / "quick.out").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", BOOT, *self._words], cwd=self._hall.folder,
                env=self._environment, stdout=out, stderr=out,
            )  # fmt: skip
        self._hall.eventually(self._is_ready, "the quick core is ready")

    def _is_ready(self) -> bool:
        try:
            return self._hall.ask("/ready")[0] == 200
        except OSError:
            return False

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)

    def pss_mb(self) -> float:
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(text.split("Pss:")[1].split()[0]) / 1024


class Camera:
    """Sends named photographs all the time, over whatever core is there."""

    def __init__(self, hall: RealCore, port: int) -> None:
        self.sent = 0
        self._ended = threading.Event()
        shutil.copytree(hall.folder / "photos", hall.folder / "images/photos")
        self._names = sorted(p.name for p in (hall.folder / "photos").iterdir())
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="hall-core-left")
        self._client.reconnect_delay_set(1, 2)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(1 / IMAGES_A_SECOND):
            name = self._names[self.sent % len(self._names)]
            event = {"v": 1, "id": f"i{self.sent}", "file": f"photos/{name}"}
            if self._client.is_connected():
                self._client.publish("hall/images/left", json.dumps(event), qos=0)
                self.sent += 1

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)
        self._client.disconnect()
        self._client.loop_stop()


def looked_at(hall: RealCore, seconds: float) -> subprocess.Popen[str]:
    driver = PROJECT / "tests/kit/web/open_pages.mjs"
    urls = [f"http://127.0.0.1:{hall.port}/#token={hall.token}"] * 2
    return subprocess.Popen(
        [str(NODE), str(driver), str(PROJECT / "node_modules"), str(CHROMIUM),
         str(hall.folder / "profile"), str(seconds), str(LOOK_S), *urls],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def hall(tmp_path: Path) -> RealCore:
    core = RealCore(tmp_path, forks=False)
    core.write()
    core.start()
    return core


@pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`")
def test_two_pages_hold_no_more_after_a_week_than_after_a_day(hall: RealCore) -> None:
    core = QuickCore(hall)
    core.start()
    camera = Camera(hall, hall.info["ports"]["mqtt_plain"])
    browser = looked_at(hall, MINUTES * 60)
    looks: list[tuple[float, float, list[dict[str, Any]]]] = []
    began, started = time.monotonic(), 1
    try:
        assert browser.stdout is not None
        for line in browser.stdout:
            at = time.monotonic() - began
            looks.append((at, core.pss_mb(), json.loads(line)))
            print(json.dumps([round(at), round(core.pss_mb(), 1), camera.sent, looks[-1][2]]))
            if at > started * MINUTES * 60 / STARTS and started < STARTS:
                core.stop()
                core.start()
                started += 1
    finally:
        camera.end()
        browser.terminate()
        core.stop()

    settled, last = looks[len(looks) // STARTS], looks[-1]
    for number, (page, end) in enumerate(zip(settled[2], last[2], strict=True)):
        assert end["errors"] == 0
        assert "live" in [look[2][number]["live"] for look in looks[-3:]]
        assert end["streams"] >= started
        assert end["heap"] < page["heap"] * 1.25 + 2 * MB
        assert end["nodes"] < page["nodes"] * 1.25 + 500
        assert end["listeners"] < page["listeners"] * 1.25 + 50
    assert last[1] < settled[1] * 1.2 + 20


def gone_through(folder: Path) -> list[dict[str, Any]]:
    """What two tabs held at the end of each day of a week."""
    cameras = [f"cam{n}" for n in range(20)]
    with serving(ReplayCore(folder, cameras=cameras)) as served:
        for camera in cameras:
            served.do(lambda camera=camera: [served.core.image(camera, "w0") for _ in range(12)])
        url = f"http://127.0.0.1:{served.port}/"
        driver = subprocess.Popen(
            [str(NODE), str(PROJECT / "tests/kit/web/week_of_states.mjs"),
             str(PROJECT / "node_modules"), str(CHROMIUM), f"{url}#token={TOKEN}", url,
             str(STATES), str(DAYS)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert driver.stdout is not None
        seen = []
        for line in driver.stdout:
            print(line, end="", flush=True)
            seen.append(json.loads(line))
        assert driver.wait(60) == 0
    assert seen[-1]["states"] >= STATES
    return seen


def test_two_tabs_hold_no_more_after_a_week_of_states_than_after_two_days(tmp_path: Path) -> None:
    """200 streams, midnights, clocks put back, a core that starts anew, labels that are markup."""
    _, second, *_, last = gone_through(tmp_path)

    for early, late in zip(second["tabs"], last["tabs"], strict=True):
        assert late["errors"] == []
        assert not late["obeyed"]
        assert late["live"] == "live"
        assert late["drawn"] > early["drawn"]
        assert late["own"] < early["own"] + OWN_BYTES
        assert late["nodes"] < early["nodes"] + 500
        assert late["listeners"] < early["listeners"] + 100
        assert late["heap"] < early["heap"] + MB
