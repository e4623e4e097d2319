"""A running core that pulls from the cloud: a bad deployment is undone and told."""

from __future__ import annotations

import hashlib
import signal
import time

import pytest
from cloud_plant import Plant, package, picture
from waiting import eventually

pytestmark = pytest.mark.story

UPLINK = ("--cloud", "iot", "--insecure-static-credentials")
PROBE = {
    "files": {"probe.png": hashlib.sha256(picture(1)).hexdigest()},
    "probes": [{"file": "probe.png", "expect": {"top": [{"index": 3, "score": 0.9}]}}],
}
BAD_MODELS = {
    "wrong hash": ({"files": {"labels.txt": "0" * 64}, "labels": "labels.txt"}, "SHA-256"),
    "wrong shape": ({"input": {"shape": [3, 32]}}, "shape"),
    "crashes at load": ({"simulated": {"wait_ms": "never"}}, "wait_ms"),
    "probe answered wrong": (PROBE, "fails its warm-up: probe probe.png"),
}


def runs(plant: Plant, deployment: str) -> bool:
    status = plant.status()
    functions = status["functions"]
    return (
        status["group"]["deployment"] == deployment
        and bool(functions)
        and all(f["state"] == "running" for f in functions)
    )


@pytest.fixture(scope="module")
def followed(make_plant) -> Plant:
    """A core that follows the group of its site."""
    plant = make_plant()
    plant.deploy()
    plant.start_core(*UPLINK)
    return plant


@pytest.fixture
def running(followed: Plant) -> tuple[Plant, str]:
    """The core with a committed deployment, and that deployment.

    A core that has just started says so with its first poll; for one that has not, the cloud ends
    a deployment at once.
    """
    good = followed.status()["group"]["deployment"]
    uncommitted = followed.core_state / "deployment" / "current" / "uncommitted"
    committed = lambda: runs(followed, good) and not uncommitted.exists()  # noqa: E731
    eventually(committed, "the deployment before is committed")
    eventually(
        lambda: followed.group_id in followed.cloud.followed_groups(), "the cloud knows the core"
    )
    return followed, good


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_a_bad_model_is_rolled_back_and_the_reason_reaches_the_cloud(running, kind):
    plant, good = running
    changes, reason = BAD_MODELS[kind]
    beside = {"labels.txt": b"x", "probe.png": picture(1)}
    bad = plant.deploy(plant.publish(package(plant.folder, "bad", beside, **changes)))
    assert plant.deployment(bad)["DeploymentStatus"] == "InProgress"

    eventually(lambda: plant.deployment(bad)["DeploymentStatus"] == "Failure", "failure told")

    assert reason in plant.deployment(bad)["ErrorMessage"]
    assert f"went back to deployment {good}" in plant.deployment(bad)["ErrorMessage"]
    eventually(lambda: runs(plant, good), "the good deployment runs again")
    assert plant.outcomes()[bad] == "rolled back"
    assert "deployment_rolled_back" in reasons(plant)


def reasons(plant: Plant) -> set[str]:
    return {reason["code"] for reason in plant.status()["verdict"]["reasons"]}


def test_images_that_come_while_a_bad_deployment_is_tried_are_not_lost(running):
    plant, _ = running
    plant.drop(20)
    bad = plant.deploy(plant.publish(package(plant.folder, "bad", input={"shape": [3, 32]})))

    while plant.deployment(bad)["DeploymentStatus"] == "InProgress":
        plant.drop(1)
        time.sleep(0.1)  # a camera's pace, not the machine's

    wanted = {("cam1", seq) for seq in range(1, plant.dropped + 1)}
    eventually(
        lambda: plant.landed() >= wanted,
        lambda: f"results in the cloud of {sorted(wanted - plant.landed())[:20]} of {len(wanted)}",
    )
    assert plant.landed() == wanted


def test_a_deployment_that_cannot_be_fetched_is_refused_and_what_runs_goes_on(running):
    plant, good = running
    before = {f["id"]: f["pid"] for f in plant.status()["functions"]}

    bad = plant.deploy(f"s3://{plant.bucket}/nowhere.tar.gz")

    eventually(lambda: plant.deployment(bad)["DeploymentStatus"] == "Failure", "failure told")
    assert "nowhere.tar.gz" in plant.deployment(bad)["ErrorMessage"]
    assert {f["id"]: f["pid"] for f in plant.status()["functions"]} == before
    assert runs(plant, good)
    assert "deployment_refused" in reasons(plant)


def test_a_model_replaced_under_its_pinned_address_is_refused_and_what_runs_goes_on(running):
    plant, good = running
    honest = package(plant.folder, "honest", version="3.0.0")
    key = f"models/sim/3.0.0-{hashlib.sha256(honest.read_bytes()).hexdigest()}.tar.gz"
    replaced = package(plant.folder, "replaced", version="3.0.1")

    bad = plant.deploy(plant.publish(replaced, key))

    eventually(lambda: plant.deployment(bad)["DeploymentStatus"] == "Failure", "failure told")
    assert "the object was replaced" in plant.deployment(bad)["ErrorMessage"]
    assert runs(plant, good)


def test_a_good_deployment_is_reported_as_success_only_once_it_runs(running):
    plant, _ = running
    newer = plant.deploy(plant.publish(package(plant.folder, "newer", version="1.1.0")))

    assert plant.deployment(newer)["DeploymentStatus"] == "InProgress"
    eventually(lambda: plant.deployment(newer)["DeploymentStatus"] == "Success", "success told")
    assert runs(plant, newer)


def test_the_same_group_deployed_again_restarts_nothing(running):
    plant, _ = running
    before = {f["id"]: f["pid"] for f in plant.status()["functions"]}

    again = plant.deploy(plant.running_model())

    eventually(lambda: plant.status()["group"]["deployment"] == again, "the deployment adopted")
    assert {f["id"]: f["pid"] for f in plant.status()["functions"]} == before
    eventually(lambda: plant.deployment(again)["DeploymentStatus"] == "Success", "success told")


def test_a_core_killed_while_a_bad_deployment_is_uncommitted_goes_back_when_it_returns(running):
    plant, good = running
    bad = plant.deploy(plant.publish(package(plant.folder, "bad", input={"shape": [3, 32]})))
    current = plant.core_state / "deployment" / "current"
    eventually((current / "uncommitted").exists, "the bad deployment is uncommitted")
    plant.stop_core(signal.SIGKILL)

    plant.start_core(*UPLINK)

    eventually(lambda: runs(plant, good), "the good deployment runs again")
    eventually(lambda: plant.deployment(bad)["DeploymentStatus"] == "Failure", "failure told")


def test_a_restarted_core_does_not_try_a_refused_deployment_again(running):
    plant, good = running
    bad = plant.deploy(plant.publish(package(plant.folder, "bad", input={"shape": [3, 32]})))
    eventually(lambda: plant.outcomes().get(bad) == "rolled back", "rolled back")
    before = len(plant.status()["group"]["history"])
    plant.stop_core()

    plant.start_core(*UPLINK)

    eventually(lambda: runs(plant, good), "the good deployment runs")
    assert bad not in [h["deployment"] for h in plant.status()["group"]["history"][before:]]


def test_the_first_deployment_of_a_core_has_no_way_back_and_says_so(plant):
    bad = plant.deploy(plant.publish(package(plant.folder, "bad", input={"shape": [3, 32]})))

    plant.start_core()

    eventually(lambda: plant.deployment(bad)["DeploymentStatus"] == "Failure", "failure told")
    assert "no earlier deployment" in plant.deployment(bad)["ErrorMessage"]
    eventually(lambda: "deployment_not_healthy" in reasons(plant), "the verdict says it, too")
    good = plant.deploy()
    eventually(lambda: runs(plant, good), "a later good deployment runs")
