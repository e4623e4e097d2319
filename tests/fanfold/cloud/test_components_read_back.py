"""`fanfold diff`, `rollback`, `status --from cloud` and the end of a site, for target v2."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cloud_plant import Plant, package
from components_plant import ComponentsPlant

from contract.digests import sha256_of
from fanfold.cloud.access import Access
from fanfold.cloud.beside import refuse_uninstalling
from fanfold.cloud.components import forget_history, planned_versions, uninstall
from fanfold.cloud.versions_before import refuse_versions_of_before
from fanfold.common.errors import UserError


@pytest.fixture
def plant(make_plant: Callable[[], Plant]) -> ComponentsPlant:
    made = ComponentsPlant(make_plant())
    made.plant.publish(package(made.plant.folder, "bad"))
    made.deploy()
    made.report("SUCCEEDED")
    return made


def newer(plant: ComponentsPlant) -> str:
    """The deployment of a second model that its device runs."""
    path = package(plant.plant.folder, "newer", version="1.1.0")
    made = plant.deploy(plant.plant.publish(path, f"newer-{sha256_of(path)}.tar.gz"))
    plant.report("SUCCEEDED")
    return made


def test_an_unchanged_site_has_no_difference(plant: ComponentsPlant):
    said = plant.fanfold("diff", plant.plant.name)

    assert (said.returncode, said.stdout) == (
        0, f"{plant.plant.name}: no change; a deployment does nothing\n",
    ), said.stdout + said.stderr  # fmt: skip


def test_a_new_model_touches_the_model_component_only(plant: ComponentsPlant):
    published = plant.model(f"lite0/1.1.0-{'b' * 64}")
    said = plant.fanfold("diff", plant.plant.name, "--model", published, "--json")

    assert said.returncode == 2, said.stderr
    answer = json.loads(said.stdout)
    assert [c["subject"] for c in answer["changes"]] == ["model", "component Model"]
    assert answer["restarts"] is False


def test_another_number_of_workers_restarts_the_core_and_leaves_the_model(plant: ComponentsPlant):
    plant.write(workers=1)

    said = plant.fanfold("diff", plant.plant.name)

    assert said.returncode == 2, said.stderr
    assert "workers 2 → 1" in said.stdout
    assert "restarts the core" in said.stdout
    assert "component Core " in said.stdout
    assert "component Model" not in said.stdout


def test_what_stands_beside_and_the_terms_are_compared_too(plant: ComponentsPlant):
    cli = {"aws.greengrass.Cli": {"version": "2.13.0"}}
    plant.write(components={**plant.components, "beside": cli}, rollout={"per_minute": 7})

    said = plant.fanfold("diff", plant.plant.name)

    assert said.returncode == 2, said.stderr
    assert "beside aws.greengrass.Cli none → 2.13.0" in said.stdout
    assert '"maximumPerMinute": 7' in said.stdout
    assert "the core goes on" in said.stdout


def test_the_fleet_compares_a_site_of_components(plant: ComponentsPlant):
    def drift() -> list[str]:
        said = plant.fanfold("sites", plant.plant.name, "--json")
        (site,) = json.loads(said.stdout)["sites"]
        assert site["problem"] is None, said.stderr
        return site["drift"]

    unchanged = drift()
    plant.write(workers=1)
    changed = drift()

    assert unchanged == []
    assert "workers 2 → 1" in changed
    assert any(change.startswith("component Core ") for change in changed)


def test_what_others_deployed_to_the_same_target_is_not_uninstalled_unasked(
    make_plant: Callable[[], Plant],
):
    plant = ComponentsPlant(make_plant())
    target = plant.names.arn(f"thing/{plant.thing}")
    plant.greengrass.create_deployment(
        targetArn=target, deploymentName="others",
        components={"aws.greengrass.Cli": {"componentVersion": "2.13.0"}},
    )  # fmt: skip
    access = Access("us-east-1", plant.plant.cloud)

    with pytest.raises(UserError, match=r"(?s)'others'.*Cli: \{version: 2.13.0\}") as refused:
        refuse_uninstalling(access, plant.site())
    assert refused.value.exit_code == 2

    cli = {"aws.greengrass.Cli": {"version": "2.14.0"}}
    plant.write(components={**plant.components, "beside": cli})
    refuse_uninstalling(access, plant.site())


def test_a_content_that_comes_back_is_refused_with_the_generation_that_is_free(
    plant: ComponentsPlant,
):
    access, name = Access("us-east-1", plant.plant.cloud), plant.plant.name
    planned = planned_versions(plant.plan(), name)
    versions = {each.rpartition(".")[2]: v for each, v in planned.items()}
    older = versions | {"Core": "1.0.0"}

    refuse_versions_of_before(
        access, plant.site(), planned, {"ComponentVersions": json.dumps(versions)}
    )
    with pytest.raises(UserError, match=r"Core 1\..*components.generation: 2 ") as refused:
        refuse_versions_of_before(
            access, plant.site(), planned, {"ComponentVersions": json.dumps(older)}
        )
    assert "Model" not in str(refused.value)

    plant.write(components={**plant.components, "generation": 2})
    refuse_versions_of_before(access, plant.site(), planned_versions(plant.plan(), name), {})


def test_a_rollback_deploys_the_previous_versions_and_may_download_them(plant: ComponentsPlant):
    before = plant.versions()
    newer(plant)
    assert plant.versions()["Model"] != before["Model"]

    said = plant.fanfold("rollback", plant.plant.name, "--yes", "--wait-s", "0")

    assert said.returncode == 0, said.stdout + said.stderr
    assert "→ good" in said.stdout
    assert plant.versions() == before
    policy = plant.iam.get_role_policy(RoleName=plant.names.role, PolicyName="artifacts-before")
    allowed = policy["PolicyDocument"]["Statement"][0]["Resource"]
    assert f"arn:aws:s3:::{plant.plant.bucket}/good.tar.gz" in allowed
    assert plant.fanfold("diff", plant.plant.name).returncode == 0


def test_a_rollback_passes_over_a_deployment_that_failed(plant: ComponentsPlant):
    good = plant.versions()
    plant.deploy(plant.model("bad"))
    plant.report("FAILED", "fanfold.Model is BROKEN")
    newer(plant)

    said = plant.fanfold("rollback", plant.plant.name, "--yes", "--wait-s", "0")

    assert said.returncode == 0, said.stdout + said.stderr
    assert plant.versions() == good


def test_a_rollback_takes_a_deployment_back_that_the_device_refused(plant: ComponentsPlant):
    good = plant.versions()
    plant.deploy(plant.model("bad"))
    plant.report("FAILED", "fanfold.Model is BROKEN")

    said = plant.fanfold("rollback", plant.plant.name, "--yes", "--wait-s", "0")

    assert said.returncode == 0, said.stdout + said.stderr
    assert "model bad → good" in said.stdout
    assert plant.versions() == good


def test_the_cloud_says_how_each_device_is(plant: ComponentsPlant):
    plant.deploy(plant.model("bad"))
    plant.report("FAILED", "fanfold.Model is BROKEN")

    said = plant.fanfold("status", plant.plant.name, "--from", "cloud", "--json")

    assert said.returncode == 1, said.stderr
    answer = json.loads(said.stdout)
    assert answer["deployment"]["status"] == "Failure"
    assert answer["devices"] == [
        {"thing": plant.thing, "status": "FAILED", "step": "", "reason": "fanfold.Model is BROKEN"}
    ]  # fmt: skip


def test_what_was_never_deployed_is_said(make_plant: Callable[[], Plant]):
    plant = ComponentsPlant(make_plant())

    asked = plant.fanfold("status", plant.plant.name, "--from", "cloud")
    rolled = plant.fanfold("rollback", plant.plant.name, "--yes")
    compared = plant.fanfold("diff", plant.plant.name)

    assert (asked.returncode, rolled.returncode, compared.returncode) == (3, 3, 2)
    assert "not deployed yet" in compared.stdout


def test_an_end_of_the_site_uninstalls_its_components_and_keeps_those_of_others(
    plant: ComponentsPlant,
):
    newer(plant)
    site = plant.site()
    access = Access("us-east-1", plant.plant.cloud)
    (newest,) = plant.greengrass.list_deployments()["deployments"][-1:]
    given = plant.greengrass.get_deployment(deploymentId=newest["deploymentId"])
    plant.greengrass.create_deployment(
        targetArn=given["targetArn"],
        components={**given["components"], "aws.greengrass.Cli": {"componentVersion": "2.13.0"}},
    )

    uninstall(access, site, 0.0)
    forget_history(access, site)

    assert plant.versions() == {"Cli": "2.13.0"}
    left = plant.greengrass.list_deployments(targetArn=given["targetArn"], historyFilter="ALL")
    assert len(left["deployments"]) == 1


def test_a_site_whose_group_is_gone_is_read_back_all_the_same(plant: ComponentsPlant):
    """Its end removes the group before the last of its deployments."""
    group = f"{plant.plant.name}-boxes"
    plant.write(core={"group": group})
    plant.iot.create_thing_group(thingGroupName=group)
    plant.deploy()
    plant.iot.delete_thing_group(thingGroupName=group)
    access = Access("us-east-1", plant.plant.cloud)

    asked = plant.fanfold("status", plant.plant.name, "--from", "cloud")
    forget_history(access, plant.site())

    assert asked.returncode in (0, 1), asked.stderr
    assert group not in asked.stderr
    target = plant.names.arn(f"thinggroup/{group}")
    left = plant.greengrass.list_deployments(targetArn=target, historyFilter="ALL")
    assert left["deployments"] == []
