"""cfn-lint and cdk-nag have nothing to say that is not acknowledged with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from group_documents import gpu_site, with_cloud

ACKNOWLEDGED = {"W3696", "W2531"}


@pytest.fixture(scope="module")
def template(synthesize):
    """With everything that a site can have."""
    return synthesize(with_cloud(gpu_site()))


def test_cfn_lint_has_nothing_to_say(assemble):
    files = [stack.template_full_path for stack in assemble(with_cloud(gpu_site()))]

    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *files],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_that_greengrass_is_shut_is_acknowledged_once(template):
    assert template["Metadata"]["cfn-lint"]["config"]["ignore_checks"].count("W3696") == 1


def validation_report(document: Mapping[str, Any], assets: Any, folder: Path) -> dict[str, Any]:
    import aws_cdk as cdk
    from cdk_nag import AwsSolutionsChecks

    from infra.stacks import SiteStacks

    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    SiteStacks(app, document=document, assets=assets)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()  # raises when a rule is broken that nobody acknowledged
    report: dict[str, Any] = json.loads((folder / "validation-report.json").read_text())
    return report


@pytest.fixture(scope="module")
def report(assets, tmp_path_factory):
    return validation_report(with_cloud(gpu_site()), assets, tmp_path_factory.mktemp("nag"))


def test_cdk_nag_and_the_built_in_validation_pass(report):
    assert {plugin["conclusion"] for plugin in report["pluginReports"]} == {"success"}
    assert not [v for plugin in report["pluginReports"] for v in plugin["violations"]]


def test_every_acknowledgement_gives_a_reason(report):
    suppressed = [
        violation
        for plugin in report["pluginReports"]
        for violation in plugin.get("suppressedViolations", [])
    ]

    assert {violation["ruleName"] for violation in suppressed} >= ACKNOWLEDGED


def test_the_definitions_pass_botocores_own_validation_of_the_api(template):
    import boto3
    from botocore.validate import ParamValidator

    model = boto3.client("greengrass", region_name="us-east-1").meta.service_model
    problems = []
    for resource in template["Resources"].values():
        kind = resource["Type"].removeprefix("AWS::Greengrass::")
        if kind == resource["Type"] or not kind.endswith("DefinitionVersion"):
            continue
        shape = model.operation_model(f"Create{kind}").input_shape
        definition_id = kind.removesuffix("Version") + "Id"
        parameters = {**resource["Properties"], definition_id: "any"}
        unknown = parameters.keys() - shape.members.keys()
        problems += [f"{kind}: unknown {name}" for name in unknown]
        report = ParamValidator().validate(parameters, shape)
        if report.has_errors():
            problems.append(f"{kind}: {report.generate_report()}")

    assert problems == []
