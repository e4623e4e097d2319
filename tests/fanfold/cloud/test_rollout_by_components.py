"""`fanfold rollout` over sites of target v2: Greengrass V2 deployments, nuclei that are paho."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import PROJECT
from cloud_fleet import REPORT_S, Devices, fleet_folder
from cloud_plant import package
from component_fleet import ComponentSite, WithoutCdk
from waiting import eventually

import devcloud
from fanfold.main import main

pytestmark = [pytest.mark.in_order, pytest.mark.xdist_group("devcloud")]
MODELS = "component-fleet-models"
NEW = f"s3://{MODELS}/newer.tar.gz"
OPTIONS = ("--yes", "--json", "--watch-s", "3", "--wait-s", "6", "--shares", "100")


@pytest.fixture(scope="module")
def folder(cloud: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = fleet_folder(cloud, tmp_path_factory.mktemp("components"))
    (made / "device_profiles").symlink_to(PROJECT / "device_profiles")
    cloud.client("s3").create_bucket(Bucket=MODELS)
    newer = package(made, "newer", version="1.1.0")
    cloud.client("s3").upload_file(str(newer), MODELS, newer.name)
    return made


@pytest.fixture(scope="module")
def sites(cloud: devcloud.DevCloud, folder: Path) -> Iterator[dict[str, ComponentSite]]:
    """Three that were deployed and ran; the device of part-b has been switched off since."""
    found = {name: ComponentSite(cloud, folder, name) for name in ("part-a", "part-b", "part-c")}
    for site in found.values():
        site.plant.publish(package(site.plant.folder, "good"))
        site.nucleus.open()
        made = site.deploy()
        eventually(lambda site=site, made=made: site.ended(made), "its nucleus has it")
    found["part-b"].nucleus.close()
    ends = threading.Event()
    on = [found[name].plant for name in ("part-a", "part-c")]
    reporter = threading.Thread(target=_report, args=(Devices(on), on, ends))
    reporter.start()
    yield found
    ends.set()
    reporter.join()
    for name in ("part-a", "part-c"):
        found[name].nucleus.close()


def _report(devices: Devices, on: list, ends: threading.Event) -> None:
    while not ends.wait(REPORT_S):
        for line in on:
            devices.report(line)


@pytest.fixture
def rollout(
    folder: Path, sites: dict[str, ComponentSite], monkeypatch, capfd
) -> Callable[..., tuple[int, str, str]]:
    """Runs the verb as a shell would, over part-*."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FANFOLD_STATE", str(folder / "state"))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    for name, value in sites["part-a"].plant.cloud.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(WithoutCdk, "sites", sites, raising=False)
    monkeypatch.setattr("fanfold.verbs.rollout.Verbs", WithoutCdk)

    def run(*options: str) -> tuple[int, str, str]:
        code = main(["rollout", "part-*", "--model", NEW, *options])
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def wanted(sites: dict[str, ComponentSite]) -> dict[str, str]:
    """Site → version of the Model component that the cloud wants there."""
    return {name: site.versions()["Model"] for name, site in sites.items()}


def test_the_plan_says_that_a_greengrass_deployment_brings_it(rollout):
    code, out, _ = rollout("--plan", "--json")

    assert code == 0
    rows = json.loads(out)["sites"]
    assert {row["engine"] for row in rows.values()} == {"CDK, Greengrass V2 deployment"}
    assert [row["now"].rpartition("/")[2] for row in rows.values()] == ["good.tar.gz"] * 3


def test_a_device_that_refuses_stops_the_wave_and_it_is_no_longer_wanted_anywhere(rollout, sites):
    before = wanted(sites)
    sites["part-c"].nucleus.refuses = True

    code, out, err = rollout(*OPTIONS)

    said = json.loads(out.splitlines()[-1])
    assert code == 1, err
    assert "part-c unhealthy: Model is BROKEN" in said["stopped"]
    stands = {name: each["stand"] for name, each in said["sites"].items()}
    assert stands == {"part-a": "healthy", "part-b": "rolled back", "part-c": "rolled back"}
    assert "reports" in said["sites"]["part-a"]["why"]
    now = wanted(sites)
    assert [name for name in now if now[name] != before[name]] == ["part-a"]
    eventually(lambda: sites["part-c"].nucleus.model == before["part-c"], "part-c went back")


def test_resumed_it_goes_on_and_a_device_that_is_off_holds_nobody_up(rollout, sites):
    code, out, err = rollout(*OPTIONS, "--resume")

    stands = {name: each["stand"] for name, each in json.loads(out)["sites"].items()}
    assert code == 0, err
    assert stands == {"part-a": "healthy", "part-b": "away", "part-c": "healthy"}
    _, plan, _ = rollout("--plan", "--json")
    rows = json.loads(plan)["sites"]
    assert [row["now"].rpartition("/")[2] for row in rows.values()] == ["newer.tar.gz"] * 3
    now = wanted(sites)
    for name in ("part-a", "part-c"):
        assert sites[name].nucleus.model == now[name]
