"""How a group document becomes a template, rule by rule."""

from __future__ import annotations

import json
from typing import Any

import pytest
from every import every
from group_documents import MODEL_KEY, gpu_site
from template_queries import of_type, statements, the, version_ids

GREENGRASS = "AWS::Greengrass::"
KINDS = {
    "Core": "Cores",
    "Device": "Devices",
    "Function": "Functions",
    "Resource": "Resources",
    "Subscription": "Subscriptions",
    "Logger": "Loggers",
}


def without_names(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in entry.items() if k != "ThingName"} for entry in entries]


@pytest.mark.parametrize(("kind", "content"), KINDS.items())
def test_every_definition_carries_exactly_what_the_document_says(template, kind, content):
    document = gpu_site()
    expected = [document["Core"]] if kind == "Core" else document[content]

    version = the(template, f"{GREENGRASS}{kind}DefinitionVersion")

    assert version[content] == without_names(expected)


def test_the_groups_default_isolation_reaches_the_function_definition(template):
    version = the(template, "AWS::Greengrass::FunctionDefinitionVersion")

    assert version["DefaultConfig"] == {"Execution": {"IsolationMode": "GreengrassContainer"}}


def test_no_definition_and_no_group_has_an_initial_version(template):
    shells = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"].startswith(GREENGRASS) and "Version" not in resource["Type"]
    ]

    assert len(shells) == len(KINDS) + 1
    assert not any("InitialVersion" in shell for shell in shells)


def test_the_group_version_refers_to_every_definition_version(template):
    version = the(template, "AWS::Greengrass::GroupVersion")
    versions = version_ids(template)

    assert {f"{kind}DefinitionVersionArn" for kind in KINDS} <= version.keys()
    assert {version[f"{kind}DefinitionVersionArn"]["Ref"] for kind in KINDS} < versions


def test_an_unchanged_document_gives_an_unchanged_template(synthesize, template):
    assert synthesize(gpu_site()) == template


def test_another_worker_changes_only_the_versions_that_name_it(synthesize, template):
    changed = synthesize(gpu_site(workers=3))
    gone, new = version_ids(template) - version_ids(changed), version_ids(changed)

    kinds = {template["Resources"][name]["Type"].removeprefix(GREENGRASS) for name in gone}
    assert kinds == {"FunctionDefinitionVersion", "SubscriptionDefinitionVersion", "GroupVersion"}
    assert len(new) == len(version_ids(template))


def test_a_change_leaves_the_group_and_the_definitions_untouched(synthesize, template):
    changed = synthesize(gpu_site(workers=3))

    def shells(of: dict[str, Any]) -> dict[str, Any]:
        return {
            name: resource
            for name, resource in of["Resources"].items()
            if resource["Type"].startswith(GREENGRASS) and "Version" not in resource["Type"]
        }

    assert shells(changed) == shells(template)


def test_each_user_function_is_an_alias_of_a_version_from_one_archive(template):
    document = gpu_site()
    functions = {
        properties["FunctionName"]: properties
        for properties in of_type(template, "AWS::Lambda::Function").values()
        if properties["Runtime"] == "python3.8"
    }
    aliases = of_type(template, "AWS::Lambda::Alias").values()
    archives = {json.dumps(properties["Code"]) for properties in functions.values()}

    described = {entry["FunctionName"]: entry for entry in document["Lambdas"].values()}
    assert {name: f["Handler"] for name, f in functions.items()} == {
        name: entry["Handler"] for name, entry in described.items()
    }
    assert len(archives) == 1
    assert [alias["Name"] for alias in aliases] == ["live"] * len(described)


def test_old_function_versions_stay_for_a_rollback(template):
    versions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Version"]

    assert {version["DeletionPolicy"] for version in versions} == {"Retain"}


def test_functions_that_never_run_in_the_cloud_get_no_log_groups(template):
    groups = of_type(template, "AWS::Logs::LogGroup").values()

    assert [group["LogGroupName"] for group in groups] == ["/aws/lambda/fanfold-line-deployer"]


def test_the_core_and_every_device_is_a_thing(template):
    things = of_type(template, "AWS::IoT::Thing").values()

    names = {"line-core", "line-core-cam1", "line-core-console"}
    assert {thing["ThingName"] for thing in things} == names


def test_a_kind_without_entries_is_left_out(synthesize):
    document = {**gpu_site("bare"), "Loggers": []}

    bare = synthesize(document)

    assert not of_type(bare, "AWS::Greengrass::LoggerDefinition")
    assert "LoggerDefinitionVersionArn" not in the(bare, "AWS::Greengrass::GroupVersion")


def group_role(template: dict[str, Any]) -> dict[str, Any]:
    (role,) = (
        role
        for role in of_type(template, "AWS::IAM::Role").values()
        if "greengrass" in json.dumps(role["AssumeRolePolicyDocument"])
    )
    return role


def test_the_group_role_reads_the_model_and_writes_results_and_nothing_else(template):
    granted = statements(group_role(template))

    assert granted.keys() == {"ReadModel", "WriteResults", "WriteLogs"}
    assert granted["ReadModel"]["Action"] == "s3:GetObject"
    assert MODEL_KEY in json.dumps(granted["ReadModel"]["Resource"])
    assert set(granted["WriteResults"]["Action"]) == {"s3:PutObject", "s3:GetObject"}
    assert "results-bucket/out/site=line/*" in json.dumps(granted["WriteResults"]["Resource"])


def test_the_group_role_cannot_be_borrowed_by_another_account(template):
    (trust,) = group_role(template)["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert "aws:SourceArn" in trust["Condition"]["ArnLike"]


def test_a_site_without_cloud_gives_the_group_role_no_rights(synthesize):
    document = gpu_site("dark")
    document["Resources"], document["Loggers"] = [], []
    for function in document["Functions"]:
        function["FunctionConfiguration"]["Environment"]["Variables"] = {}

    assert "Policies" not in group_role(synthesize(document))


def test_the_deployment_follows_the_group_version_and_the_code(template, assets):
    deployment = the(template, "Custom::GreengrassDeployment")
    (version,) = of_type(template, "AWS::Greengrass::GroupVersion")

    assert deployment["GroupVersionArn"] == {"Ref": version}
    assert deployment["Revision"] == assets.lambdas_sha256


def test_another_wait_is_no_other_deployment(template, synthesize):
    waiting = synthesize(gpu_site(), wait_s=7)

    functions = of_type(waiting, "AWS::Lambda::Function").values()
    waits = [each.get("Environment", {}).get("Variables") for each in functions]
    assert {"WAIT_SECONDS": "7"} in waits
    for kind in ("Custom::GreengrassDeployment", "AWS::Greengrass::GroupVersion"):
        assert of_type(waiting, kind) == of_type(template, kind)


def test_the_deployment_waits_for_aliases_and_its_stack_for_the_things(template, assemble):
    (deployment,) = (
        resource
        for resource in template["Resources"].values()
        if resource["Type"] == "Custom::GreengrassDeployment"
    )

    assert set(of_type(template, "AWS::Lambda::Alias")) <= set(deployment["DependsOn"])
    first, then = assemble(gpu_site())
    assert of_type(first.template, "AWS::IoT::Thing") == of_type(template, "AWS::IoT::Thing")
    assert first.id in [each.id for each in then.dependencies]


def test_the_deployer_may_deploy_this_group_only(template):
    (group,) = of_type(template, "AWS::Greengrass::Group")
    (role,) = (
        role
        for role in of_type(template, "AWS::IAM::Role").values()
        if "greengrass:CreateDeployment" in json.dumps(role)
    )
    statement = role["Policies"][0]["PolicyDocument"]["Statement"][0]

    assert every(group in json.dumps(resource) for resource in statement["Resource"])
    assert "ManagedPolicyArns" not in role


def test_the_outputs_name_the_group_the_deployment_and_the_topics(template):
    outputs = template["Outputs"]

    assert outputs.keys() >= {"GroupId", "GroupVersionId", "DeploymentId", "Topics"}
    assert json.loads(outputs["Topics"]["Value"]) == {
        "images": ["line/images/cam1"],
        "cloud": ["fanfold/line/results"],
    }
