"""A site's whole life against the development cloud, with the real commands and the real CDK.

One story in the order of the file: each step stands on the one before.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from cloud_plant import Plant, package
from waiting import eventually

pytestmark = [pytest.mark.story, pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.in_order]
MODEL_FACTS = {"model-name": "sim"}


@pytest.fixture(scope="module")
def site(make_plant) -> Plant:
    if shutil.which("node") is None:
        pytest.skip("the CDK needs node")
    return make_plant()


def done(site: Plant, *arguments: str, code: int = 0) -> Any:
    said = site.fanfold(*arguments)
    assert said.returncode == code, said.stdout[-3000:] + said.stderr[-3000:]
    return said


def deployments(site: Plant) -> list[dict[str, Any]]:
    """Newest first."""
    found = json.loads(done(site, "rollback", site.name, "--list", "--json").stdout)
    return found["deployments"]


def results(site: Plant) -> list[int]:
    said = done(site, "results", site.name, "--from", "cloud", "--json")
    return [json.loads(line)["seq"] for line in said.stdout.splitlines()]


def certificates(site: Plant) -> set[str]:
    """The ARNs of all certificates in the cloud, other sites' too."""
    listed = site.clients["iot"].get_paginator("list_certificates").paginate()
    return {found["certificateArn"] for page in listed for found in page["certificates"]}


def running_model(site: Plant) -> str:
    return site.running_model().rpartition("/")[2]


def test_provisioned_and_deployed_from_nothing(site):
    site.publish(package(site.folder, "good"), **MODEL_FACTS, **{"model-version": "1.0.0"})
    done(site, "provision", site.name)

    done(site, "deploy", site.name)

    assert [d["status"] for d in deployments(site)] == ["Success"]
    assert "not deployed yet" not in done(site, "provision", site.name).stderr


def test_the_core_takes_it_and_results_land(site):
    site.start_core("--cloud", "iot", "--insecure-static-credentials")
    site.drop(12)

    eventually(lambda: results(site) == list(range(1, 13)), "12 results read back from the bucket")


def test_an_unchanged_site_deploys_nothing(site):
    before = deployments(site)

    assert done(site, "diff", site.name).stdout.endswith("a deployment does nothing\n")
    done(site, "deploy", site.name)

    assert deployments(site) == before


def test_a_new_artifact_changes_the_model_and_the_core_runs_it(site):
    made = package(site.folder, "newer", version="1.1.0")
    uri = site.publish(made, **MODEL_FACTS, **{"model-version": "1.1.0"})
    seen = json.loads(done(site, "diff", site.name, "--model", uri, "--json", code=2).stdout)
    assert [change["subject"] for change in seen["changes"]] == ["model"]

    done(site, "deploy", site.name, "--model", uri)

    assert running_model(site) == "newer.tar.gz"
    assert [d["status"] for d in deployments(site)] == ["Success", "Success"]


def test_a_model_that_does_not_load_fails_the_deployment_with_its_reason(site):
    uri = site.publish(package(site.folder, "bad", input={"shape": [3, 32]}))

    said = done(site, "deploy", site.name, "--model", uri, code=1)

    assert "the core could not run the new group" in said.stderr
    assert "shape" in said.stderr
    eventually(lambda: running_model(site) == "newer.tar.gz", "the former model runs again")


def test_rolled_back_when_asked_and_forward_again_by_a_deployment(site):
    newer = site.running_model()
    assert "older than 1.1.0" in done(site, "rollback", site.name, "--yes", code=2).stderr

    done(site, "rollback", site.name, "--yes", "--allow-older-model")
    assert running_model(site) == "good.tar.gz"

    done(site, "deploy", site.name, "--model", newer)
    assert running_model(site) == "newer.tar.gz"


def test_destroyed_with_its_data_kept_and_no_role_left(site):
    site.stop_core()

    said = done(site, "destroy", site.name)

    assert "kept: bucket" in said.stderr
    roles = [r["RoleName"] for r in site.clients["iam"].list_roles()["Roles"]]
    assert [name for name in roles if name.startswith(site.name)] == []
    groups = site.clients["greengrass"].list_groups()["Groups"]
    assert [group["Name"] for group in groups if group["Name"] == site.name] == []
    assert results(site) == list(range(1, site.dropped + 1))


def test_its_identity_removed_for_good(site):
    record = site.site_file.parent / f"certificates/{site.name}.json"
    own = set(json.loads(record.read_text()).values())
    assert own & certificates(site)

    done(site, "provision", site.name, "--remove")

    assert own & certificates(site) == set()
    assert not list((site.state / "certificates" / site.name).glob("*/*.key"))


def test_deployed_again_over_the_data_that_was_kept(site):
    done(site, "provision", site.name)
    done(site, "deploy", site.name)

    assert [d["status"] for d in deployments(site)] == ["Success"]
    assert results(site) == list(range(1, site.dropped + 1))
