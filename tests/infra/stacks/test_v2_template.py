"""Target v2 as templates: three component versions, one deployment, and what changes with what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from checkout import PROJECT
from template_queries import of_type, the

from infra.packaging import build_lambdas
from infra.planning import InvalidInput, check, errors, load_site, plan_group, render
from infra.site_components import nowhere, render_components

SITE = """
name: edge
profile: cpu-gateway-4core
account: "111122223333"
region: eu-central-1
core: {core}
target: v2
rollout: {{per_minute: 5, abort: {{failed_percent: 10, after: 2}}, timeout_s: 600}}
components:
  runtimes: [{runtime}]
{more}
model: {{s3_uri: "s3://models/{model}"}}
cameras: [{{name: cam1}}]
volumes: {{images: /srv/images, state: /srv/state}}
"""
VERSION, DEPLOYMENT = "AWS::GreengrassV2::ComponentVersion", "AWS::GreengrassV2::Deployment"
RUNTIME = "s3://runtimes/fanfold-runtime-0123456789-x86_64-py3.11-onnxruntime.zip"


def document(
    folder: Path,
    core="{thing: edge-core}",
    runtime=RUNTIME,
    model=f"lite0/1.0.0-{'a' * 64}.tar.gz",
    more="",
):
    path = folder / "edge.yaml"
    path.write_text(SITE.format(core=core, runtime=runtime, model=model, more=more))
    site, profile = load_site(path, PROJECT / "device_profiles")
    plan = plan_group(site, profile)
    found = errors(check(plan))
    assert not found, found
    return render(plan)


@pytest.fixture(scope="module")
def template(synthesize: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return synthesize(document(tmp_path_factory.mktemp("site")))


def recipes(template: dict[str, Any]) -> dict[str, Any]:
    """By the last word of their names; the CDK's joins of literals are resolved already."""
    found = [json.loads(p["InlineRecipe"]) for p in of_type(template, VERSION).values()]
    return {recipe["ComponentName"].rpartition(".")[2]: recipe for recipe in found}


def test_a_site_is_three_components_and_one_deployment_that_names_them_exactly(template):
    made = recipes(template)
    assert set(made) == {"Runtime", "Core", "Model"}
    deployment = the(template, DEPLOYMENT)
    assert deployment["TargetArn"] == "arn:aws:iot:eu-central-1:111122223333:thing/edge-core"
    assert {n: c["ComponentVersion"] for n, c in deployment["Components"].items()} == {
        recipe["ComponentName"]: recipe["ComponentVersion"] for recipe in made.values()
    }


def test_fanfold_diff_computes_the_versions_that_the_cdk_gives(template, tmp_path):
    lambdas = build_lambdas(tmp_path / "lambdas.zip")
    rendered = render_components(document(tmp_path), lambdas, tmp_path, nowhere)

    assert {each.name: each.version for each in rendered} == {
        recipe["ComponentName"]: recipe["ComponentVersion"] for recipe in recipes(template).values()
    }


def test_a_deployment_that_is_replaced_stays_listed(template):
    (found,) = [r for r in template["Resources"].values() if r["Type"] == DEPLOYMENT]

    assert found["UpdateReplacePolicy"] == "Retain"
    assert found.get("DeletionPolicy", "Delete") == "Delete"


def test_every_recipe_is_what_both_nuclei_read(template):
    for recipe in recipes(template).values():
        (manifest,) = recipe["Manifests"]
        assert manifest["Platform"] == {"os": "linux", "architecture": "amd64", "runtime": "*"}
        assert "run" in manifest["Lifecycle"]
        assert all(phase.islower() for phase in manifest["Lifecycle"])
        assert all(part.isdigit() for part in recipe["ComponentVersion"].split("."))
        assert all(int(part) < 2**31 for part in recipe["ComponentVersion"].split("."))


def test_old_component_versions_stay_for_devices_that_run_them(template):
    kept = [r for r in template["Resources"].values() if r["Type"] == VERSION]
    assert len(kept) == 3
    assert all(r["DeletionPolicy"] == r["UpdateReplacePolicy"] == "Retain" for r in kept)


def test_rollout_and_abort_are_the_sites(template):
    job = the(template, DEPLOYMENT)["IotJobConfiguration"]
    assert job["JobExecutionsRolloutConfig"] == {"MaximumPerMinute": 5}
    (rule,) = job["AbortConfig"]["CriteriaList"]
    assert (rule["ThresholdPercentage"], rule["MinNumberOfExecutedThings"]) == (10, 2)
    assert job["TimeoutConfig"]["InProgressTimeoutInMinutes"] == 20


def test_the_role_downloads_the_artifacts_and_publishes_as_its_thing_alone(template):
    (downloads,) = of_type(template, "AWS::IAM::Policy").values()
    (statement,) = downloads["PolicyDocument"]["Statement"]
    assert statement["Action"] == "s3:GetObject"
    assert len(statement["Resource"]) == 4  # runtime, core, offer, model
    assert "*" not in json.dumps(statement["Resource"])
    role = next(r for r in of_type(template, "AWS::IAM::Role").values() if "RoleName" in r)
    assert downloads["Roles"] == [role["RoleName"]]
    assert "${credentials-iot:ThingName}" in json.dumps(role["Policies"])


def test_an_unchanged_site_has_an_empty_diff(synthesize, tmp_path, template):
    assert synthesize(document(tmp_path)) == template


def test_a_new_model_makes_a_new_model_component_and_leaves_the_others_alone(
    synthesize, tmp_path, template
):
    after = synthesize(document(tmp_path, model=f"lite0/1.1.0-{'b' * 64}.tar.gz"))
    changed = {
        name for name in recipes(template) if recipes(template)[name] != recipes(after)[name]
    }
    # The group names the model's place and its hash too: the Core must carry neither.
    assert changed == {"Model"}


def test_a_thing_group_gets_one_deployment(synthesize, tmp_path):
    made = the(synthesize(document(tmp_path, core="{group: boxes}")), DEPLOYMENT)
    assert made["TargetArn"].endswith(":thinggroup/boxes")


def test_what_stands_beside_stays_in_the_deployment(synthesize, tmp_path):
    more = "  beside: {aws.greengrass.Cli: {version: 2.13.0, merge: {a: b}}}"
    made = the(synthesize(document(tmp_path, more=more)), DEPLOYMENT)
    beside = made["Components"]["aws.greengrass.Cli"]
    assert beside == {"ComponentVersion": "2.13.0", "ConfigurationUpdate": {"Merge": '{"a":"b"}'}}


def test_a_document_that_lite_cannot_receive_is_refused_with_its_size(synthesize, tmp_path):
    many = ", ".join(f"com.example.Other{n:02}: {{version: 1.0.0}}" for n in range(40))
    with pytest.raises(InvalidInput, match=r"FF170.* bytes; 4000 fit"):
        synthesize(document(tmp_path, more=f"  beside: {{{many}}}"))


def test_a_long_value_of_a_configuration_is_refused(synthesize, tmp_path):
    more = f"  beside: {{com.example.Other: {{version: 1.0.0, merge: {{a: {'x' * 1025}}}}}}}"
    with pytest.raises(InvalidInput, match=r"FF171.*/a has 1025 bytes; 1024"):
        synthesize(document(tmp_path, more=more))


def test_a_runtime_that_is_not_there_is_refused_with_the_command_that_makes_it(
    synthesize, tmp_path
):
    name = "build/bundles/fanfold-runtime-00-x86_64-py3.11-onnxruntime.zip"
    with pytest.raises(InvalidInput, match=r"FF165.*is not there.*--runtime-zip --arch x86_64"):
        synthesize(document(tmp_path, runtime=name))


def test_the_core_component_is_small(assets, tmp_path):
    from infra.packaging import build_core

    group = tmp_path / "group.json"
    group.write_text("{}")
    made = build_core(tmp_path / "core.zip", group, assets.lambdas)
    assert made.stat().st_size <= 2_000_000
