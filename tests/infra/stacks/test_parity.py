"""The template of a site says what the planner's document says, for every strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from plan_samples import STRATEGIES
from plan_samples import document as sample
from template_queries import of_type, the

KINDS = ("Core", "Device", "Function", "Resource", "Subscription", "Logger")
# Containers with GPUs, and a device without either; every strategy of both.
PROFILES = ("two-gpu-industrial-pc", "this-machine")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", PROFILES)
def test_the_template_and_the_planners_document_agree(synthesize, name, strategy):
    document = sample(name, strategy)

    template = synthesize(document)

    for kind in KINDS:
        assert definition(template, kind) == expected(document, kind), kind
    functions = the(template, "AWS::Greengrass::FunctionDefinitionVersion")
    assert functions["DefaultConfig"] == document["DefaultConfig"]
    assert aliases(template) == set(document["Lambdas"])
    things = {document["Core"]["ThingName"], *(d["ThingName"] for d in document["Devices"])}
    assert {t["ThingName"] for t in of_type(template, "AWS::IoT::Thing").values()} == things
    assert the(template, "AWS::S3::Bucket")["BucketName"] == document["Cloud"]["Results"]["Bucket"]


def definition(template: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = of_type(dict(template), f"AWS::Greengrass::{kind}DefinitionVersion")
    content = "Cores" if kind == "Core" else f"{kind}s"
    return [entry for version in found.values() for entry in version[content]]


def expected(document: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    entries = [document["Core"]] if kind == "Core" else document[f"{kind}s"]
    return [{k: v for k, v in entry.items() if k != "ThingName"} for entry in entries]


def aliases(template: Mapping[str, Any]) -> set[str]:
    """ARNs that the template's functions and aliases will have."""
    named = of_type(dict(template), "AWS::Lambda::Function")
    found = set()
    for alias in of_type(dict(template), "AWS::Lambda::Alias").values():
        function = named[alias["FunctionName"]["Ref"]]["FunctionName"]
        arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{function}:{alias['Name']}"
        found.add(arn)
    return found
