"""Every rendered group is one that the Greengrass V1 API takes: botocore's model, and moto."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from moto import mock_aws
from plan_samples import PROFILE_NAMES, STRATEGIES, document
from test_planning_properties import footprints, profiles, sites

from infra.planning import plan_group, render

PAIRS = [(name, strategy) for name in PROFILE_NAMES for strategy in STRATEGIES]
every_group = pytest.mark.parametrize(("name", "strategy"), PAIRS)
CONTENT = {
    "Core": "Cores",
    "Device": "Devices",
    "Function": "Functions",
    "Resource": "Resources",
    "Subscription": "Subscriptions",
    "Logger": "Loggers",
}


def definitions(group: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind → content of its definition version, without the document's own `ThingName`."""
    for kind, key in CONTENT.items():
        entries = [group["Core"]] if kind == "Core" else group[key]
        plain = [{k: v for k, v in entry.items() if k != "ThingName"} for entry in entries]
        content: dict[str, Any] = {key: plain}
        if kind == "Function":
            content["DefaultConfig"] = group["DefaultConfig"]
        if plain:
            yield kind, content


@cache
def model() -> Any:
    return boto3.client("greengrass", region_name="us-east-1").meta.service_model


def refusals(group: Mapping[str, Any]) -> list[str]:
    """What botocore would refuse before it sends anything."""
    found = []
    for kind, content in definitions(group):
        shape = model().operation_model(f"Create{kind}DefinitionVersion").input_shape
        parameters = {**content, f"{kind}DefinitionId": "any"}
        found += [f"{kind}: unknown {name}" for name in parameters.keys() - shape.members.keys()]
        report = ParamValidator().validate(parameters, shape)
        if report.has_errors():
            found.append(f"{kind}: {report.generate_report()}")
    return found


@every_group
def test_a_shipped_profiles_group_passes_botocores_validation(name, strategy):
    assert refusals(document(name, strategy)) == []


def test_a_wrong_type_would_be_refused():
    group = document("cpu-gateway-4core", "pinned")
    group["Functions"][0]["FunctionConfiguration"]["Timeout"] = "thirty"

    assert any("Timeout" in refusal for refusal in refusals(group))


@pytest.fixture(scope="module")
def greengrass() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("greengrass", region_name="us-east-1")


@every_group
def test_a_shipped_profiles_group_is_kept_by_the_api_as_it_is(greengrass, name, strategy):
    for kind, content in definitions(document(name, strategy)):
        if kind == "Logger":  # moto has no loggers; tests/devcloud covers them
            continue
        lower = kind.lower()
        made = getattr(greengrass, f"create_{lower}_definition")(InitialVersion=content)
        kept = getattr(greengrass, f"get_{lower}_definition_version")(
            **{
                f"{kind}DefinitionId": made["Id"],
                f"{kind}DefinitionVersionId": made["LatestVersion"],
            }
        )
        assert kept["Definition"][CONTENT[kind]] == content[CONTENT[kind]]


@settings(max_examples=25, deadline=None)
@given(sites, profiles(), footprints)
def test_whatever_the_site_and_the_hardware_the_group_is_one_that_the_api_takes(
    a_site, device, footprint
):
    assert refusals(render(plan_group(a_site, device, footprint))) == []
