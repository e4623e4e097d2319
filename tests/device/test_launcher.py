"""The real launcher over versions of a core that become ready, do not, or crash."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from core_site import alive
from fake_versions import Device
from small_disks import fill, small_disk_at
from waiting import eventually

READY_S = 3.0
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    site = tmp_path / "site"  # pytest's folders of other tests would be other sites of the device
    site.mkdir()
    made = Device(site, READY_S)
    made.install("1", "good")
    made.remember(proved="1")
    yield made
    if made.process is not None:
        made.stop()


def test_the_first_version_proves_itself(device: Device) -> None:
    device.remember(trial="1")
    device.start()

    device.until_proved("1")
    assert device.result["outcome"] == "proved"


def test_a_core_that_is_killed_is_started_again(device: Device) -> None:
    device.start()
    eventually((device.state / "core.json").exists, "the core")
    first = device.pid
    os.kill(first, signal.SIGKILL)

    eventually(lambda: device.pid != first, "another core")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("never ready", "was not ready within 3 s"), ("crashes", "did not become ready in 3 starts")],
)
def test_a_new_version_that_does_not_become_ready_gives_way(
    device: Device, kind: str, reason: str
) -> None:
    device.install("2", kind)
    device.remember(proved="1", trial="2")
    device.start()

    eventually(lambda: device.result, "a result")
    assert device.result == {
        "v": 1, "version": "2", "outcome": "went_back", "reason": reason, "running": "1",
    }  # fmt: skip
    eventually(lambda: device.starts[-1] == "1", "the version that proved itself runs again")
    assert (device.known["proved"], device.known["trial"]) == ("1", None)
    eventually(lambda: not (device.versions / "2").exists(), "the one that gave way is removed")
    assert (device.versions / "1").is_dir()


def test_a_version_that_another_one_has_replaced_is_removed(device: Device) -> None:
    device.install("2", "good")
    device.remember(proved="1", trial="2")
    device.start()

    device.until_proved("2")
    eventually(lambda: not (device.versions / "1").exists(), "the one before is removed")
    assert (device.versions / "2").is_dir()


def test_a_launcher_that_is_killed_during_a_trial_counts_it(device: Device) -> None:
    device.install("2", "crashes")
    device.remember(proved="1", trial="2", starts=3)
    device.start()

    eventually(lambda: device.starts, "a core")
    assert device.starts[0] == "1"


def test_a_launcher_that_is_killed_takes_its_core_with_it(device: Device) -> None:
    device.start()
    eventually((device.state / "core.json").exists, "the core")
    core = device.pid
    assert device.process is not None
    device.process.kill()
    device.process.wait()
    eventually(lambda: not alive(core), "the core ends")


def test_a_trial_that_cannot_be_noted_waits_and_what_proved_itself_runs(tmp_path: Path) -> None:
    device = Device(tmp_path, READY_S)
    for version in ("1", "2"):
        device.install(version, "good")
    device.launcher.rmdir()
    with small_disk_at(device.launcher, 1) as disk:
        device.remember(proved="1", trial="2")
        fill(disk)
        device.start()
        try:
            eventually(lambda: device.starts == ["1"], lambda: str(device.starts))
            (disk / "other").unlink()
            os.kill(_core(device), signal.SIGKILL)
            device.until_proved("2")
        finally:
            device.stop()


def _core(device: Device) -> int:
    eventually((device.state / "core.json").exists, "the core")
    return device.pid


def test_sigterm_ends_launcher_and_core(device: Device) -> None:
    device.start()
    eventually((device.state / "core.json").exists, "the core")
    core = device.pid

    assert device.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(core, 0)


def _absent(folder: Path) -> dict[str, object]:
    return {"v": 1, "archive": str(folder / "none.tar"), "sha256": "0" * 64}


def _wrong_digest(folder: Path) -> dict[str, object]:
    (folder / "other.tar").write_bytes(b"no archive")
    return {"v": 1, "archive": str(folder / "other.tar"), "sha256": "0" * 64}


def _other_format(folder: Path) -> dict[str, object]:
    return {"v": 9}


@pytest.mark.parametrize(
    ("request_of", "reason"),
    [(_absent, "none.tar"), (_wrong_digest, "asked for was 0000"), (_other_format, "version 9")],
)
def test_an_update_that_cannot_be_used_is_refused_and_the_core_runs_on(
    device: Device, tmp_path: Path, request_of: Callable[[Path], dict[str, object]], reason: str
) -> None:
    device.start()
    eventually((device.state / "core.json").exists, "the core")
    core = device.pid
    draft = device.launcher / "request.new"
    draft.write_text(json.dumps(request_of(tmp_path)))
    draft.rename(device.launcher / "request.json")

    eventually(lambda: device.result, "a result")
    assert (device.result["outcome"], device.pid) == ("not_installed", core)
    assert reason in device.result["reason"]
    assert not (device.launcher / "request.json").exists()
