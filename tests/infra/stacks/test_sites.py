"""Many sites in one app: each is synthesized, whatever is wrong with another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.planning import Finding

SITE = """
name: {name}
profile: cpu-gateway-4core
account: "123456789012"
region: us-east-1
core: {{thing: {thing}}}
model: {{s3_uri: s3://greengrass-a/lite0.tar.gz}}
cameras: [{{name: cam1}}]
volumes: {{images: /srv/images, state: /srv/state}}
workers: 2
"""


class Repository:
    """A folder of sites as a user has it."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.folder = folder
        (folder / "sites").mkdir()
        shutil.copytree(project / "device_profiles", folder / "device_profiles")

    def write(self, name: str, text: str = SITE, thing: str | None = None) -> None:
        content = text.format(name=name, thing=thing or f"{name}-core")
        (self.folder / "sites" / f"{name}.yaml").write_text(content)

    def synth(self, **context: Any) -> tuple[dict[str, Any], list[Finding]]:
        """Templates by stack, and the findings that are errors."""
        import aws_cdk as cdk

        from infra.stacks import add_sites

        app = cdk.App(
            outdir=str(self.folder / "out"),
            analytics_reporting=False,
            builtin_cloud_formation_validation=False,
            context=context or None,
        )
        findings = add_sites(app, self.folder)
        made = {stack.stack_name: stack.template for stack in app.synth().stacks}
        return made, [finding for finding in findings if finding.level == "error"]


def stacks_of(*sites: str) -> set[str]:
    """CloudFormation's names of both stacks of each."""
    return {name for site in sites for name in (site, f"{site}-Deployment")}


@pytest.fixture
def repository(tmp_path: Path, project: Path) -> Repository:
    return Repository(tmp_path, project)


def test_one_sites_mistake_stops_that_site_only_and_all_mistakes_are_told(repository):
    repository.write("good-a")
    repository.write("good-b")
    repository.write("typo", SITE.replace("workers", "wrokers"))
    repository.write("broken", "name: [")
    repository.write("lost", SITE.replace("cpu-gateway-4core", "no-such-profile"))

    made, wrong = repository.synth()

    assert set(made) == stacks_of("good-a", "good-b")
    said = {Path(finding.subject.split(":")[0]).stem for finding in wrong}
    assert said == {"typo", "broken", "lost"}


def test_the_app_ends_with_1_and_writes_the_others_templates(repository, project):
    repository.write("good")
    repository.write("typo", SITE.replace("workers", "wrokers"))
    context = {
        **json.loads((project / "cdk.json").read_text())["context"],
        "sites": str(repository.folder / "sites"),
    }

    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=project,
        env={
            **os.environ,
            "CDK_OUTDIR": str(repository.folder / "out"),
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_VALIDATION": "false",  # as for a development cloud: devcloud/cdk_cli.py
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    assert "typo.yaml" in done.stderr
    assert "Traceback" not in done.stderr
    written = {path.name for path in (repository.folder / "out").glob("*.template.json")}
    assert written == {"good.template.json", "good-Cloud.template.json"}


def test_two_sites_with_one_core_thing_are_a_finding(repository):
    repository.write("line-1", thing="core-1")
    repository.write("line-2", thing="core-1")

    made, wrong = repository.synth()

    assert set(made) == stacks_of("line-1")
    assert [finding.code for finding in wrong] == ["FF010"]
    assert "core-1" in wrong[0].message


def test_what_the_cdk_refuses_about_a_site_leaves_the_others(repository, monkeypatch):
    from infra.stacks import functions

    plain = functions.Functions

    class Refusing(plain):  # type: ignore[misc, valid-type]
        def __init__(self, scope: Any, *args: Any, **more: Any) -> None:
            if scope.stack_name == "bad-Deployment":
                raise RuntimeError("no such runtime\n  at a place in node")
            super().__init__(scope, *args, **more)

    monkeypatch.setattr(functions, "Functions", Refusing)
    repository.write("bad")
    repository.write("good")

    made, wrong = repository.synth()

    assert set(made) == stacks_of("good")
    assert [(f.code, f.subject, f.message) for f in wrong] == [
        ("FF009", "site bad", "no such runtime")
    ]


@pytest.mark.parametrize(
    "context",
    [{"wait": "soon"}, {"runtime_override": "python4"}, {"cloud_runtime": "python3.13"}],
)
def test_a_wrong_option_is_a_finding_and_no_traceback(repository, context):
    repository.write("good")

    made, wrong = repository.synth(**context)

    assert made == {}
    assert [finding.code for finding in wrong] == ["FF004"]
    assert wrong[0].subject.startswith("-c ")


def test_the_override_makes_live_functions_and_tells_the_deployer(repository):
    repository.write("good")

    made, _ = repository.synth(runtime_override="python3.8")

    resources = made["good-Deployment"]["Resources"].values()
    runtimes = {
        each["Properties"]["Handler"]: each["Properties"]["Runtime"]
        for each in resources
        if each["Type"] == "AWS::Lambda::Function"
    }
    assert runtimes.pop("handler.handler") == "python3.14"
    assert set(runtimes.values()) == {"python3.13"}
    (deployment,) = (
        each["Properties"] for each in resources if each["Type"] == "Custom::GreengrassDeployment"
    )
    assert deployment["RuntimeOverride"] == "python3.8"
    granted = json.dumps([r for r in resources if r["Type"] == "AWS::IAM::Role"])
    assert "greengrass:CreateFunctionDefinitionVersion" in granted


def test_without_the_override_the_deployer_may_write_no_version(repository):
    repository.write("good")

    made, _ = repository.synth()

    assert "CreateFunctionDefinitionVersion" not in json.dumps(made)


TWO_BOXES = SITE.replace("cameras: [{{name: cam1}}]", "cameras: [{{name: cam1}}, {{name: cam2}}]")
TWO_BOXES += "cores: [{{name: b, thing: box-b}}]\n"


def test_each_box_of_a_site_has_its_stacks_and_the_first_makes_the_bucket_of_all(repository):
    repository.write("hall", TWO_BOXES)

    made, wrong = repository.synth()

    assert wrong == []
    assert set(made) == stacks_of("hall", "hall-b")
    buckets = {name: buckets_of(template) for name, template in made.items()}
    assert [name for name, found in buckets.items() if found] == ["hall"]
    assert buckets["hall"][0] in json.dumps(made["hall-b"])
    manifest = json.loads((repository.folder / "out/manifest.json").read_text())["artifacts"]
    assert "hall-Cloud" in manifest["hall-b-Cloud"]["dependencies"]


def buckets_of(template: dict[str, Any]) -> list[str]:
    return [
        each["Properties"]["BucketName"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::S3::Bucket"
    ]


def test_a_box_that_has_the_name_of_another_site_is_a_finding(repository):
    repository.write("hall", TWO_BOXES)
    repository.write("hall-b")

    made, wrong = repository.synth()

    assert set(made) == stacks_of("hall-b")  # the first of them by file name
    assert [finding.code for finding in wrong] == ["FF011"]
    assert "hall-b: this name is site hall-b's" in wrong[0].message
