"""`fanfold rollout` over sites of the development cloud; only the CDK is left out.

Groups, aliases, deployments, reports of the cores, topic rules, log groups and roll-backs are
the cloud's own and the real commands'.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cloud_fleet import Devices, Line, WithoutCdk
from cloud_plant import package

import devcloud
from fanfold.main import main

SITES = 6
NEW = "s3://fleet-models/newer.tar.gz"


@pytest.fixture(scope="module")
def folder(cloud: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fleet")
    for name in ("sites", "state"):
        (made / name).mkdir()
    (made / "state" / "devcloud").symlink_to(cloud.state_dir)
    return made


@pytest.fixture(scope="module")
def lines(cloud: devcloud.DevCloud, folder: Path) -> list[Line]:
    """Six sites with a good model deployed; line-6 has no device that follows it."""
    found = [Line(cloud, folder, f"line-{n}") for n in range(1, SITES + 1)]
    (folder / "device_profiles").symlink_to(found[0].folder / "device_profiles")
    cloud.client("s3").create_bucket(Bucket="fleet-models")
    cloud.client("s3").upload_file(
        str(package(folder, "newer", version="1.1.0")), "fleet-models", "newer.tar.gz"
    )
    for line in found:
        line.deploy()
    return found


@pytest.fixture
def rollout(
    folder: Path, lines: list[Line], monkeypatch, capfd
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs the verb as a shell would, over line-*."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FANFOLD_STATE", str(folder / "state"))
    monkeypatch.setenv("PYTHONPATH", str(Path(devcloud.__file__).parents[1]))
    for name, value in lines[0].cloud.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(WithoutCdk, "lines", {line.name: line for line in lines}, raising=False)
    monkeypatch.setattr("fanfold.verbs.rollout.Verbs", WithoutCdk)

    def run(*options: str) -> tuple[int, str, str]:
        code = main(["rollout", "line-*", "--model", NEW, *options])
        said = capfd.readouterr()
        return code, said.out, said.err

    yield run
    for record in (folder / "state" / "rollouts").glob("*.jsonl"):
        record.unlink()


pytestmark = pytest.mark.in_order
OPTIONS = ("--yes", "--json", "--watch-s", "4", "--wait-s", "5", "--shares", "50,100")


def models(lines: list[Line]) -> list[str]:
    return [line.runs().removesuffix(".tar.gz") for line in lines]


def test_the_plan_is_printed_and_nothing_is_told(rollout, lines):
    code, out, _ = rollout("--plan", "--shares", "50,100")

    assert code == 0
    assert "to 6 of 6 sites in 3 waves" in out
    assert [line.split()[:2] for line in out.splitlines()[2:]] == [
        ["1", "line-1"], ["2", "line-2"], ["2", "line-3"],
        ["3", "line-4"], ["3", "line-5"], ["3", "line-6"],
    ]  # fmt: skip
    assert models(lines) == ["good"] * SITES


def test_without_a_terminal_and_without_yes_nothing_begins(rollout, lines):
    code, _, err = rollout()

    assert code == 2
    assert "Pass --yes" in err
    assert models(lines) == ["good"] * SITES


def test_a_site_that_refuses_the_model_stops_its_wave_which_goes_back(rollout, lines):
    lines[2].refuses = True
    with Devices(lines[:5]):
        code, out, _ = rollout(*OPTIONS)

    said = json.loads(out.splitlines()[-1])
    assert code == 1
    assert "line-3 failed: w0: net.params has SHA-256 9c..." in said["stopped"]
    assert {site: each["stand"] for site, each in said["sites"].items()} == {
        "line-1": "healthy", "line-2": "rolled back", "line-3": "failed",
        "line-4": "pending", "line-5": "pending", "line-6": "pending",
    }  # fmt: skip
    assert models(lines) == ["newer", "good", "good", "good", "good", "good"]


@pytest.mark.soak
def test_an_ill_site_is_found_by_its_health_reports_and_the_resumed_rollout_does_what_is_left(
    rollout, lines
):
    lines[3].ill = True
    with Devices(lines[:5]):
        code, out, _ = rollout(*OPTIONS)
        stopped = json.loads(out.splitlines()[-1])
        again, out, _ = rollout(*OPTIONS, "--resume", "--without", "line-4")

    assert code == 1
    assert "line-4 unhealthy: 40.0 % of" in stopped["stopped"]
    resumed = {site: each["stand"] for site, each in json.loads(out)["sites"].items()}
    assert again == 0, out
    assert resumed.items() >= {
        "line-2": "healthy", "line-3": "healthy", "line-4": "left out", "line-5": "healthy",
        "line-6": "away",
    }  # fmt: skip
    assert models(lines) == ["newer", "newer", "newer", "good", "newer", "newer"]
