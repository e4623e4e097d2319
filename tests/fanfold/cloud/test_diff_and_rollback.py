"""`fanfold diff` and `fanfold rollback` against a group read back from the development cloud."""

from __future__ import annotations

import json

import pytest
from cloud_plant import Plant, package
from waiting import eventually

STRATEGIES = ("pinned", "pool", "on_demand")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_was_just_deployed_shows_no_change(plant: Plant, strategy):
    plant.write(strategy=strategy)
    plant.deploy()

    said = plant.fanfold("diff", plant.name)

    assert (said.returncode, said.stdout) == (
        0, f"{plant.name}: no change; a deployment does nothing\n",
    ), said.stdout + said.stderr  # fmt: skip


def test_a_site_that_was_never_deployed_is_a_change(plant: Plant):
    said = plant.fanfold("diff", plant.name)

    assert said.returncode == 2
    assert "not deployed yet" in said.stdout
    assert "workers 2" in said.stdout


def test_a_difference_is_said_in_an_operators_words(plant: Plant):
    plant.deploy()
    plant.write(profile="two-gpu-industrial-pc", workers=4, cameras=[{"name": "cam1"}])

    said = plant.fanfold("diff", plant.name, "--model", f"s3://{plant.bucket}/newer.tar.gz")

    assert said.returncode == 2, said.stderr
    first = said.stdout.splitlines()[0]
    assert first.startswith(f"{plant.name}: workers 2 → 4; GPU none → 0,1; model good → newer; ")
    assert first.endswith("restarts all functions")


def test_a_new_model_changes_the_model_and_nothing_else(plant: Plant):
    plant.deploy()

    said = plant.fanfold("diff", plant.name, "--json", "--model", f"s3://{plant.bucket}/b.tar.gz")

    (change,) = json.loads(said.stdout)["changes"]
    assert change == {
        "subject": "model",
        "before": f"s3://{plant.bucket}/good.tar.gz",
        "after": f"s3://{plant.bucket}/b.tar.gz",
    }


def test_changed_code_is_a_change(plant: Plant):
    plant.deploy(code=plant.code(b"older"))

    said = plant.fanfold("diff", plant.name)

    assert said.returncode == 2
    assert " code " in said.stdout


def versions(plant: Plant) -> list[tuple[str, str]]:
    """(type, group version) of each deployment, oldest first."""
    said = json.loads(plant.fanfold("rollback", plant.name, "--list", "--json").stdout)
    return [(d["kind"], d["version"]) for d in reversed(said["deployments"])]


def test_a_rollback_deploys_the_former_group_version_with_the_code_it_had(plant: Plant):
    plant.deploy(code=plant.code(b"older"))
    plant.write(workers=1)
    plant.deploy()
    assert plant.fanfold("diff", plant.name).returncode == 0

    said = plant.fanfold("rollback", plant.name, "--yes")

    assert said.returncode == 0, said.stderr
    assert f"{plant.name}: workers 1 → 2; " in said.stdout
    assert " code " in said.stdout
    assert "goes forward" in said.stderr
    (_, first), (_, second), (kind, third) = versions(plant)
    assert (kind, third) == ("Redeployment", first) != ("Redeployment", second)
    assert plant.live_code() == plant.code(b"older")


def test_a_rollback_asks_and_does_nothing_without_an_answer(plant: Plant):
    plant.deploy()
    plant.write(workers=1)
    plant.deploy()
    before = versions(plant)

    said = plant.fanfold("rollback", plant.name)

    assert said.returncode == 2
    assert "--yes" in said.stderr
    assert "workers 1 → 2" in said.stdout
    assert versions(plant) == before


def test_an_older_model_is_refused_unless_asked_for(plant: Plant):
    for version in ("1.0.0", "1.1.0"):
        made = package(plant.folder, f"m{version}", version=version)
        facts = {"model-name": "sim", "model-version": version}
        plant.deploy(plant.publish(made, **facts))

    refused = plant.fanfold("rollback", plant.name, "--yes")
    allowed = plant.fanfold("rollback", plant.name, "--yes", "--allow-older-model")

    assert refused.returncode == 2
    assert "1.0.0 is older than 1.1.0" in refused.stderr
    assert allowed.returncode == 0, allowed.stderr
    assert len(versions(plant)) == 3


def test_there_is_nothing_to_go_back_to_after_one_deployment(plant: Plant):
    plant.deploy()

    said = plant.fanfold("rollback", plant.name, "--yes")

    assert said.returncode == 3
    assert "no earlier deployment" in said.stderr


def test_a_running_core_takes_the_rollback_and_says_so(plant: Plant):
    first = plant.deploy()
    plant.start_core()
    eventually(lambda: plant.deployment(first)["DeploymentStatus"] == "Success", "first proved")
    plant.write(workers=1)
    second = plant.deploy()
    eventually(lambda: plant.deployment(second)["DeploymentStatus"] == "Success", "second proved")

    said = plant.fanfold("rollback", plant.name, "--yes")

    assert said.returncode == 0, said.stderr
    assert "the core runs it" in said.stdout
    workers = [f["id"] for f in plant.status()["functions"] if f["id"].startswith("w")]
    assert workers == ["w0", "w1"]
