"""What the stacks of target iot make and grant is what the guide says they do."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from checkout import PROJECT
from moto import mock_aws

from edgecore.jobs.document import parse
from infra.deployer.jobs import job_document
from infra.planning import InvalidInput, load_site, plan_group, render

PROVISION = ("verbs/provision.py", "provision/joining.py", "cloud/certificates.py")
GUIDE = PROJECT / "docs" / "guides" / "aws-today.md"
SITE = """
name: edge-1
profile: cpu-gateway-4core
account: "111122223333"
region: eu-central-1
target: iot
core: {core}
model: {{s3_uri: s3://my-models/lite0.tar.gz}}
cameras: [{{name: cam1}}]
volumes: {{images: /srv/images, state: /srv/state}}
"""


def template_of(
    synthesize: Any, folder: Path, core: str, *, validate: bool = False
) -> dict[str, Any]:
    path = folder / "edge-1.yaml"
    path.write_text(SITE.format(core=core))
    site, profile = load_site(path, PROJECT / "device_profiles")
    return synthesize(render(plan_group(site, profile)), validate=validate)


@pytest.fixture(scope="module")
def made(synthesize: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Resources of a site for one thing, and of one for a thing group."""
    folder = tmp_path_factory.mktemp("sites")
    one = template_of(synthesize, folder, "{thing: edge-1-core}")["Resources"]
    many = template_of(synthesize, folder, "{group: edge-boxes}", validate=True)["Resources"]
    return {**one, **many}


def row_of(name: str) -> set[str]:
    """The code words in the second cell of the guide's row that begins with `name`."""
    for line in GUIDE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 2 and cells[0] == name:
            return set(re.findall(r"`([^`]+)`", cells[1]))
    raise AssertionError(f"{GUIDE.name} has no row {name!r}")


def actions(document: dict[str, Any]) -> Iterator[str]:
    for statement in document["Statement"]:
        found = statement["Action"]
        yield from [found] if isinstance(found, str) else found


def granted_to(made: dict[str, Any], service: str) -> set[str]:
    """Actions of every role that `service` may take."""
    return {
        action
        for resource in made.values()
        if resource["Type"] == "AWS::IAM::Role"
        and service in json.dumps(resource["Properties"]["AssumeRolePolicyDocument"])
        for policy in resource["Properties"].get("Policies", [])
        for action in actions(policy["PolicyDocument"])
    }


def test_the_guide_lists_every_type_of_resource_that_the_stacks_make(made: dict[str, Any]) -> None:
    types = {each["Type"] for each in made.values()} - {"AWS::CDK::Metadata"}

    assert row_of("the stacks make") == types


def test_the_guide_lists_what_a_devices_certificate_may_do(made: dict[str, Any]) -> None:
    (policy,) = (each for each in made.values() if each["Type"] == "AWS::IoT::Policy")

    found = set(actions(policy["Properties"]["PolicyDocument"]))
    assert row_of("a device's certificate may") == found


@pytest.mark.parametrize(
    ("row", "service"),
    [
        ("a device's role may", "credentials.iot.amazonaws.com"),
        ("the deployer may", "lambda.amazonaws.com"),
        ("the rules may", "iot.amazonaws.com"),
    ],
)
def test_the_guide_lists_what_each_role_may_do(
    made: dict[str, Any], row: str, service: str
) -> None:
    assert row_of(row) == granted_to(made, f'"{service}"')


def test_the_guide_lists_every_right_that_provision_uses() -> None:
    provision = PROJECT / "fanfold" / "provision" / "identities.py"
    sources = (provision, *(PROJECT / "fanfold" / each for each in PROVISION))
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    called = set(re.findall(r"\b(?:_client|iot|client)\.([a-z]+(?:_[a-z]+)+)[(,]", text))

    named = {word.rpartition(":")[2] for word in row_of("`fanfold provision`")}
    assert named == {call.title().replace("_", "") for call in called}


def test_no_role_may_do_everything_to_anything(made: dict[str, Any]) -> None:
    everything = granted_to(made, "amazonaws.com")

    assert not [action for action in everything if action.endswith("*")]


BUNDLE = "fanfold-0.2.0-0123456789-x86_64-py3.11-onnxruntime.tar"
WITH_BUNDLE = f"{{thing: edge-1-core, bundle: {BUNDLE}}}"


def job_of(template: dict[str, Any]) -> dict[str, Any]:
    jobs = (r for r in template["Resources"].values() if r["Type"] == "Custom::FanfoldJob")
    properties: dict[str, Any] = next(jobs)["Properties"]
    return properties


def test_a_bundle_goes_as_an_asset_that_the_deployer_may_read(
    synthesize: Any, tmp_path: Path
) -> None:
    (tmp_path / BUNDLE).write_bytes(b"a bundle")
    template = template_of(synthesize, tmp_path, WITH_BUNDLE)
    job = job_of(template)
    key = str(job["CoreUri"]).rpartition("/")[2].strip("'}])")

    assert job["CoreVersion"] == "0.2.0-0123456789"
    assert key.endswith(".tar")
    assert sum(key in json.dumps(r) for r in template["Resources"].values()) == 2, "job and rights"


def test_without_a_bundle_the_job_is_what_it_was(made: dict[str, Any]) -> None:
    assert not {"CoreUri", "CoreVersion"} & job_of({"Resources": made}).keys()


def test_a_bundle_that_is_not_there_is_refused_by_name(synthesize: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=rf"FF176.*{BUNDLE} is not there.*fanfold bundle"):
        template_of(synthesize, tmp_path, WITH_BUNDLE)


def test_the_deployer_keeps_the_bundle_and_writes_the_cores_version_into_the_job() -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        for bucket in ("assets", "kept"):
            s3.create_bucket(Bucket=bucket)
        for key in ("group.json", "code.zip", "core.tar"):
            s3.put_object(Bucket="assets", Key=key, Body=key.encode())
        wanted = {
            "Bucket": "kept", "Site": "edge-1", "TimeoutSeconds": "600", "PerThing": "false",
            "Arns": ["arn:f"], "GroupUri": "s3://assets/group.json", "CodeUri": "s3://assets/code.zip",
            "CoreUri": "s3://assets/core.tar", "CoreVersion": "0.2.0-0123456789",
        }  # fmt: skip
        document = parse(job_document(s3, wanted, 1), site="edge-1")
        assert document.core is not None
        bucket, _, key = document.core.artifact.uri.removeprefix("s3://").partition("/")
        kept = s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    assert document.core.version == "0.2.0-0123456789"
    assert (kept, bucket) == (b"core.tar", "kept")
    assert document.core.artifact.sha256 == hashlib.sha256(kept).hexdigest()
