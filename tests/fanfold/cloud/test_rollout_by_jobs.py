"""`fanfold rollout` over thing groups: AWS IoT jobs, boxes that answer over MQTT with paho."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import PROJECT
from cloud_fleet import fleet_folder
from cloud_plant import package
from job_fleet import ASSETS, Group, WithoutCdk
from waiting import eventually

import devcloud
from fanfold.cloud.access import Access
from fanfold.cloud.deployed import read_site_deployed
from fanfold.cloud.jobs import forget_jobs, read_jobs
from fanfold.cloud.stack import Stack, go_forward_by_job
from fanfold.common.errors import UserError
from fanfold.main import main
from infra.deployer.handler import DeploymentError
from infra.planning import load_site

pytestmark = [pytest.mark.in_order, pytest.mark.xdist_group("devcloud")]
GOOD, NEW = f"s3://{ASSETS}/good.tar.gz", f"s3://{ASSETS}/newer.tar.gz"
OPTIONS = ("--yes", "--json", "--watch-s", "0", "--wait-s", "5", "--shares", "100", "--at-once")


@pytest.fixture(scope="module")
def folder(cloud: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = fleet_folder(cloud, tmp_path_factory.mktemp("groups"))
    (made / "device_profiles").symlink_to(PROJECT / "device_profiles")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=ASSETS)
    s3.put_object(Bucket=ASSETS, Key="code.zip", Body=b"code")
    for name, version in (("good", "1.0.0"), ("newer", "1.1.0")):
        s3.upload_file(str(package(made, name, version=version)), ASSETS, f"{name}.tar.gz")
    return made


@pytest.fixture(scope="module")
def groups(cloud: devcloud.DevCloud, folder: Path) -> Iterator[dict[str, Group]]:
    """Three groups of two boxes that run the good model; one box of line-b is switched off."""
    found = {name: Group(cloud, folder, name, off=name == "line-b") for name in
             ("line-a", "line-b", "line-c")}  # fmt: skip
    boxes = [box for group in found.values() for box in group.on]
    for box in boxes:
        box.open()
    for group in found.values():
        group.deploy(GOOD, wait_s=0)
    eventually(lambda: all(box.model for box in boxes), "every box runs the good model")
    yield found
    for box in boxes:
        box.close()


@pytest.fixture
def rollout(
    folder: Path, groups: dict[str, Group], monkeypatch, capfd
) -> Callable[..., tuple[int, str, str]]:
    """Runs the verb as a shell would, over line-*."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FANFOLD_STATE", str(folder / "state"))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    for name, value in next(iter(groups.values())).cloud.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(WithoutCdk, "groups", groups, raising=False)
    monkeypatch.setattr(WithoutCdk, "before", GOOD, raising=False)
    monkeypatch.setattr("fanfold.verbs.rollout.Verbs", WithoutCdk)

    def run(*options: str) -> tuple[int, str, str]:
        code = main(["rollout", "line-*", "--model", NEW, *options])
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def running(folder: Path, groups: dict[str, Group]) -> dict[str, list[str]]:
    """Site → name of the model on each box that is on."""
    names = {
        hashlib.sha256((folder / f"{name}.tar.gz").read_bytes()).hexdigest(): name
        for name in ("good", "newer")
    }
    return {site: [names[box.model] for box in group.on] for site, group in groups.items()}


def test_the_plan_says_that_jobs_bring_it_to_thing_groups(rollout):
    code, out, _ = rollout("--plan", "--json")

    assert code == 0
    engines = {site: row["engine"] for site, row in json.loads(out)["sites"].items()}
    assert engines["line-a"] == "CDK, AWS IoT job for thing group line-a-boxes"


def test_a_box_that_refuses_stops_the_wave_and_groups_that_had_it_go_back(rollout, groups, folder):
    groups["line-c"].on[0].refuses = True

    code, out, err = rollout(*OPTIONS, "1")

    said = json.loads(out.splitlines()[-1])
    assert code == 1, err
    assert "line-c-1 FAILED: w0: net.params has SHA-256 9c..." in said["stopped"]
    stands = {site: each["stand"] for site, each in said["sites"].items()}
    assert (stands["line-a"], stands["line-b"]) == ("healthy", "rolled back")
    # By CloudFormation where the box was quick, by the rollout where it answered after the wait.
    assert stands["line-c"] in {"failed", "rolled back"}
    expected = {"line-a": ["newer"] * 2, "line-b": ["good"], "line-c": ["good"] * 2}
    eventually(lambda: running(folder, groups) == expected, "the boxes run what they had")


def test_resumed_it_goes_on_and_a_box_that_is_off_does_not_hold_its_group_up(
    rollout, groups, folder
):
    code, out, err = rollout(*OPTIONS, "1", "--resume")

    said = json.loads(out.splitlines()[-1])
    assert code == 0, err
    assert {each["stand"] for each in said["sites"].values()} == {"healthy"}
    assert "1 of 2 boxes" in err
    expected = {"line-a": ["newer"] * 2, "line-b": ["newer"], "line-c": ["newer"] * 2}
    assert running(folder, groups) == expected


def test_a_job_that_failed_after_its_stack_was_made_is_said_and_made_again_by_the_next_deployment(
    rollout, groups, folder, monkeypatch, capfd
):
    group = groups["line-a"]
    site, _ = load_site(group.file, group.profiles)
    access, prefix = Access(site.region, group.cloud), f"fanfold-{site.name}_"
    group.on[0].refuses = True
    with contextlib.suppress(DeploymentError):  # a box that answers before the first look
        group.deploy(GOOD, wait_s=0)
    eventually(lambda: read_jobs(access, prefix)[0].outcome == "Failure", "one box refuses it")
    job = read_jobs(access, prefix)[0].id
    stack = Stack("UPDATE_COMPLETE", {"JobId": job}, "")
    monkeypatch.setattr("fanfold.cloud.stack.read_stack", lambda *_: stack)
    monkeypatch.setattr("fanfold.verbs.diff.compare", lambda *_: ([], ""))

    assert main(["diff", "line-a"]) == 0
    assert "its job failed; a deployment makes it again" in capfd.readouterr().out
    with pytest.raises(UserError, match=f"job {job} failed: line-a-1 FAILED: w0: net.params"):
        go_forward_by_job(access, site, 5.0, before="the job before it")
    go_forward_by_job(access, site, 60.0, before=job)
    again = read_jobs(access, prefix)[0]
    go_forward_by_job(access, site, 5.0, before=job)

    assert again.id != job
    assert running(folder, groups)["line-a"] == ["good"] * 2
    assert read_jobs(access, prefix)[0] == again, "what has succeeded is not made again"


def test_jobs_that_are_forgotten_are_shown_and_brought_no_more(groups):
    group = groups["line-b"]
    site, _ = load_site(group.file, group.profiles)
    access, prefix = Access(site.region, group.cloud), f"fanfold-{site.name}_"
    other = f"fanfold-{groups['line-a'].name}_"
    assert read_jobs(access, prefix)
    assert read_jobs(access, other)

    forget_jobs(access, prefix)

    assert read_jobs(access, prefix) == []
    assert read_site_deployed(access, site) is None
    assert read_jobs(access, other)
