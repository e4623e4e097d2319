"""What the stacks of target iot make and grant is what the guide says they do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checkout import PROJECT

from infra.planning import load_site, plan_group, render

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
