"""The components' life under a nucleus: real recipes, real processes, one device for the story."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from v2_device import Flow, V2Device
from waiting import eventually

from devcloud.nucleus import Failed

pytestmark = [pytest.mark.story, pytest.mark.in_order, pytest.mark.xdist_group("component_life")]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[V2Device]:
    made = V2Device(tmp_path_factory.mktemp("v2"))
    with made.nucleus:
        made.nucleus.deploy(made.recipes(made.model("1.0.0")))
        model = made.nucleus.running["fanfold.t.Model"]
        eventually(lambda: model.state == "FINISHED", f"model proved: {made.log('Model')}")
        yield made


def version_of(record: dict) -> str:
    return record["model"]["version"]


def test_three_components_are_deployed_and_the_core_answers_images(device: V2Device) -> None:
    assert len(device.nucleus.running) == 3
    device.until_ready()
    device.send(10)
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert {version_of(r) for r in device.records()} == {"1.0.0"}


def test_a_new_model_under_load_restarts_nothing_and_loses_nothing(
    device: V2Device, record_property: Callable[[str, object], None]
) -> None:
    core = device.nucleus.running["fanfold.t.Core"]
    before, processes = (core.pid, device.facts()["pid"]), device.processes()
    with Flow(device, rate=20):
        seen = len(device.records())
        eventually(lambda: len(device.records()) > seen + 10, "images flow")
        device.nucleus.deploy(device.recipes(device.model("1.1.0")))
        after = len(device.records())
        eventually(lambda: len(device.records()) > after + 20, "images flow on")
    assert (core.pid, device.facts()["pid"]) == before
    assert core.starts == 1
    others = device.processes()
    changed = {name for name in processes if others[name] != processes[name]}
    assert changed == {"w0", "w1"}
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert device.tally() == {"lost": 0, "twice": 0, "holes": 0}
    assert version_of(device.records()[-1]) == "1.1.0"
    gap_s = round(device.largest_gap_s("1.1.0"), 2)
    record_property("largest_gap_s", gap_s)
    print(f"largest gap between two results around the swap: {gap_s} s")


def test_the_bytes_of_a_new_model_are_the_models(device: V2Device) -> None:
    fetched = device.nucleus.fetched_bytes
    package = device.model("1.1.0").stat().st_size
    offer = (device.folder / "offer.zip").stat().st_size
    assert fetched["fanfold.t.Model"] == package + offer
    assert offer < 6_000


def test_a_model_that_cannot_run_fails_the_deployment_and_the_old_one_serves(
    device: V2Device,
) -> None:
    pid, processes = device.facts()["pid"], device.processes()
    with pytest.raises(Failed, match=r"fanfold\.t\.Model is BROKEN: .*refused"):
        device.nucleus.deploy(device.recipes(device.model("1.2.0", sound=False)))
    device.until_ready()
    device.send(10)
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert version_of(device.records()[-1]) == "1.1.0"
    assert device.facts()["pid"] == pid
    others = device.processes()
    assert {name for name in processes if others[name] != processes[name]} == {"w0"}
    assert device.nucleus.running["fanfold.t.Core"].starts == 1


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.soak)])
@pytest.mark.timeout(5400)
def test_a_core_that_is_killed_is_never_broken_and_loses_nothing(
    device: V2Device, kills: int
) -> None:
    core = device.nucleus.running["fanfold.t.Core"]
    for _ in range(kills):
        device.send(4)
        pid = device.facts()["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: _another(device, pid), f"another core: {device.log('Core')}", 90)
        device.until_ready()
    assert (core.state, core.starts, core.failures) == ("RUNNING", 1, [])
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert device.tally() == {"lost": 0, "twice": 0, "holes": 0}


def _another(device: V2Device, pid: int) -> bool:
    try:
        return device.facts()["pid"] != pid
    except (OSError, ValueError, KeyError):
        return False


def test_a_boot_starts_everything_again_and_it_goes_on_where_it_was(device: V2Device) -> None:
    device.nucleus.deploy(device.recipes(device.model("1.1.0")))
    device.nucleus.stop()
    core = device.nucleus.running["fanfold.t.Core"]
    assert not core.killed, f"not within 5 s: {core.stopped_in_s}"
    device.nucleus.start()
    device.until_ready()
    device.send(5)
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert device.tally()["twice"] == 0


def test_an_empty_deployment_uninstalls_and_reinstalling_goes_on_with_the_journals(
    device: V2Device,
) -> None:
    device.nucleus.deploy([])
    assert device.nucleus.states() == {}
    kept = [p.name for p in (device.folder / "gg" / "packages" / "artifacts").rglob("*.zip")]
    assert kept == []
    assert (device.work / "core").is_dir()

    device.nucleus.deploy(device.recipes(device.model("1.1.0")))
    device.until_ready()
    device.send(5)
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert device.tally() == {"lost": 0, "twice": 0, "holes": 0}


def test_a_new_core_is_adopted_and_the_old_version_is_what_it_goes_back_to(
    device: V2Device,
) -> None:
    versions = device.work / "versions"
    before = {p.name for p in versions.iterdir()}
    device.nucleus.deploy(device.recipes(device.model("1.1.0"), workers=1))
    eventually(lambda: {p.name for p in versions.iterdir()} > before, "a second version")
    device.until_ready()
    device.send(5)
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    assert device.tally() == {"lost": 0, "twice": 0, "holes": 0}


def test_a_core_that_cannot_start_goes_back_and_the_component_stays_up(
    device: V2Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    import v2_device

    def broken(target: Path, group: Path, lambdas: Path) -> Path:
        made = build_core(target, group, lambdas)
        return _with_a_fault(made)

    build_core = v2_device.build_core
    monkeypatch.setattr(v2_device, "build_core", broken)
    device.nucleus.deploy(device.recipes(device.model("1.1.0")))
    result = device.work / "launcher" / "result.json"
    eventually(lambda: "went_back" in result.read_text(), f"went back: {device.log('Core')}", 90)
    device.until_ready()
    core = device.nucleus.running["fanfold.t.Core"]
    assert (core.state, core.starts) == ("RUNNING", 1)
    device.send(5)
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")


def _with_a_fault(archive: Path) -> Path:
    import zipfile

    with zipfile.ZipFile(archive) as old:
        content = {name: old.read(name) for name in old.namelist()}
    content["lib/edgecore/__main__.py"] = b"raise SystemExit('a fault of this version')\n"
    with zipfile.ZipFile(archive, "w") as new:
        for name, data in content.items():
            new.writestr(name, data)
    return archive
