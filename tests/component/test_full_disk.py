"""The device's disk is full while a nucleus deploys: what ran runs on, and room is all it takes.

Two small disks, as the nucleus's own files (`packages`) and the components' (`work`) can lie apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from beside import Beside
from small_disks import small_disk_at
from v2_device import Flow, V2Device
from waiting import eventually

from devcloud.nucleus import Failed
from devcloud.nucleus.running import Running

pytestmark = [
    pytest.mark.story,
    pytest.mark.in_order,
    pytest.mark.xdist_group("component_full_disk"),
]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[V2Device]:
    folder = tmp_path_factory.mktemp("v2")
    (folder / "gg").mkdir()
    with ExitStack() as disks:
        for name in ("packages", "work"):
            disks.enter_context(small_disk_at(folder / "gg" / name, 64))
        made = V2Device(folder)
        with made.nucleus:
            made.nucleus.deploy(made.recipes(made.model("1.0.0")))
            made.until_ready()
            yield made


@pytest.fixture(autouse=True)
def _room(device: V2Device) -> Iterator[None]:
    """A test that fails leaves none behind that could not pass."""
    yield
    for name in ("packages", "work"):
        (device.folder / "gg" / name / "other").unlink(missing_ok=True)


def filled(device: V2Device, name: str, left_mib: int = 0) -> Path:
    """The file that takes the room, but for so much."""
    disk = device.folder / "gg" / name
    taken = disk / "other"
    with contextlib.suppress(OSError), taken.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(taken, max(taken.stat().st_size - (left_mib << 20), 0))
    return taken


def nothing_is_lost(device: V2Device) -> None:
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert device.tally() == {"lost": 0, "twice": 0, "holes": 0}
    core = device.nucleus.running["fanfold.t.Core"]
    assert (core.state, core.failures) == ("RUNNING", [])


def until_it_answers(device: V2Device, model: str) -> None:
    def newest() -> str:
        return str(device.records()[-1].get("model", {}).get("version"))

    eventually(lambda: newest() == model, lambda: f"{newest()}: {device.log('Core')}")


def fails_until_there_is_room(
    device: V2Device, model: str, fill: Callable[[], Path], says: str, **more: int
) -> None:
    wanted = device.recipes(device.model(model, **more))
    with Flow(device, rate=10):
        taken = fill()
        with pytest.raises(Failed, match=says):
            device.nucleus.deploy(wanted)
        taken.unlink()
        device.nucleus.deploy(wanted)
        until_it_answers(device, model)
    nothing_is_lost(device)


def test_no_room_for_a_download_fails_the_deployment_and_the_core_serves_on(
    device: V2Device,
) -> None:
    fails_until_there_is_room(
        device, "1.1.0", lambda: filled(device, "packages"),
        r"No space left on device\); free space there",
    )  # fmt: skip


def test_no_room_for_an_offer_fails_the_deployment_and_the_core_serves_on(
    device: V2Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills between the download and the Model's install."""
    wanted = device.recipes(device.model("1.2.0"))
    with Flow(device, rate=10):
        with monkeypatch.context() as patch:
            patch.setattr(Running, "_spawn", _after(filled, device, Running._spawn))
            with pytest.raises(Failed, match=r"cannot be written \(No space left.*free space"):
                device.nucleus.deploy(wanted)
        (device.folder / "gg" / "work" / "other").unlink()
        device.nucleus.deploy(wanted)
        until_it_answers(device, "1.2.0")
    nothing_is_lost(device)


def test_no_room_to_unpack_a_model_is_a_refusal_with_the_remedy_and_the_old_one_serves(
    device: V2Device,
) -> None:
    fails_until_there_is_room(
        device, "1.3.0", lambda: filled(device, "work", left_mib=8),
        r"refused: .*No space left on device\); free space there", ballast_mib=16,
    )  # fmt: skip


def test_a_refusal_that_the_disk_cannot_take_reaches_the_deployment_and_the_old_model_serves(
    device: V2Device,
) -> None:
    """The disk fills when the model is unpacked and its first worker begins."""
    applied = device.work / "core" / "deployment" / "current"
    before, said = applied.readlink(), len(device.whole_log("Model"))
    wanted = device.recipes(device.model("1.4.0", sound=False))

    def fill_once_applied(over: Callable[[], bool]) -> None:
        while applied.readlink() == before and not over():
            time.sleep(0.001)
        filled(device, "work")

    with Flow(device, rate=10):
        taken = filled(device, "work", left_mib=2)
        with Beside(fill_once_applied), pytest.raises(Failed):
            device.nucleus.deploy(wanted)
        assert "refused: see the core's log; its disk is full" in device.whole_log("Model")[said:]
        assert applied.readlink() == before
        until_it_answers(device, "1.3.0")
        taken.unlink()
        offers = device.work / "offers"
        eventually(lambda: not list(offers.glob("refused-*")), lambda: device.log("Core"))
        # Full before its files had moved, or after its worker had ended: the one or the other.
        reason = json.loads((offers / "verdict.json").read_text())["reason"]
        assert "'soon'" in reason or "No space left on device" in reason
    nothing_is_lost(device)


def test_a_new_core_for_which_there_is_no_room_waits_and_the_one_before_serves(
    device: V2Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills between the download and the Core's start, but for what a core itself needs;
    with room it is exchanged, and nobody deploys again."""
    before = device.facts()["pid"]
    with Flow(device, rate=10):
        with monkeypatch.context() as patch:
            patch.setattr(Running, "start", _after(filled, device, Running.start, 1))
            device.nucleus.deploy(device.recipes(device.model("1.3.0", ballast_mib=16), window=5))
        eventually(lambda: "this version cannot be kept" in device.log("Core"), "it says so")
        said = device.log("Core").partition("this version cannot be kept")[2].partition("\n")[0]
        assert "(No space left on device); free space there" in said
        eventually(lambda: _pid(device) not in (0, before), lambda: device.log("Core"))
        old = _pid(device)
        versions = {p.name for p in (device.work / "versions").iterdir()}
        (device.folder / "gg" / "work" / "other").unlink()
        eventually(lambda: _pid(device) not in (0, old), lambda: device.log("Core"))
        device.until_ready()
        assert {p.name for p in (device.work / "versions").iterdir()} - versions
    nothing_is_lost(device)
    assert "Traceback" not in device.log("Core")


def _pid(device: V2Device) -> int:
    """0: no core just now."""
    try:
        return int(device.facts()["pid"])
    except (OSError, ValueError, KeyError):
        return 0


def _after(
    begin: Callable[..., object],
    device: V2Device,
    then: Callable[..., object],
    left_mib: int = 0,
) -> Callable[..., object]:
    """`Running`'s own method, on a disk of components that has just become full."""

    def done(each: Running, *given: object) -> object:
        begin(device, "work", left_mib)
        return then(each, *given)

    return done


def test_a_core_that_ends_on_a_disk_without_a_byte_says_so_and_comes_back_with_room(
    device: V2Device,
) -> None:
    with Flow(device, rate=10):
        taken = filled(device, "work")
        os.kill(device.facts()["pid"], signal.SIGKILL)
        eventually(lambda: _said_since_its_end(device), lambda: device.log("Core"))
        taken.unlink()
        device.until_ready()
    nothing_is_lost(device)
    assert "Traceback" not in device.log("Core")


def _said_since_its_end(device: V2Device) -> bool:
    return "free space" in device.log("Core").rpartition("killed by SIGKILL")[2]
