"""Updates without a change set, as `cdk deploy --method=direct` asks for them."""

from __future__ import annotations

import json

import pytest

VERSION = "BootstrapVersion"


def template(topic: str) -> str:
    name = {"Type": "String", "Default": "first"}
    version = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/test/bootstrap"}
    return json.dumps(
        {
            "Parameters": {VERSION: version, "Name": name},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": topic}}},
            "Outputs": {"Name": {"Value": {"Ref": "Name"}}, "Version": {"Value": {"Ref": VERSION}}},
        }
    )


@pytest.mark.parametrize("given", [{}, {"Name": "second"}])
def test_a_parameter_keeps_its_previous_value_or_its_default(cloud, given):
    cloud.client("ssm").put_parameter(
        Name="/test/bootstrap", Value="30", Type="String", Overwrite=True
    )
    stacks, name = cloud.client("cloudformation"), f"direct-{len(given)}"
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    stacks.create_stack(StackName=name, TemplateBody=template("a"), Parameters=parameters)

    kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in (VERSION, "Name")]
    stacks.update_stack(StackName=name, TemplateBody=template("b"), Parameters=kept)

    (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert outputs == {"Name": given.get("Name", "first"), "Version": "30"}
