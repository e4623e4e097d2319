from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import archives
import pytest

from edgecore.sources import SourceError, load
from edgecore.sources.intrinsics import Resolver

KEY = "a" * 64 + ".zip"


def _template(name: str = "line") -> dict[str, Any]:
    function_arn = {"Ref": "Alias"}
    thing_arn = {
        "Fn::Sub": "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:thing/${Thing}"
    }
    certificate = {"Fn::Join": ["", ["arn:aws:iot:", {"Ref": "AWS::Region"}, ":1:cert/abc"]]}
    core = {"Id": "core", "ThingArn": thing_arn, "CertificateArn": certificate}
    function = {
        "Id": "hello",
        "FunctionArn": function_arn,
        "FunctionConfiguration": {"Pinned": "true", "Timeout": "5"},
    }
    return {
        "Parameters": {"CoreName": {"Type": "String", "Default": "the-core"}},
        "Resources": {
            "Thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "CoreName"}}},
            "Code": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "hello",
                    "Handler": "hello.handler",
                    "Runtime": "python3.8",
                    "Code": {"S3Bucket": {"Fn::Sub": "cdk-${AWS::AccountId}"}, "S3Key": KEY},
                },
            },
            "Version": {
                "Type": "AWS::Lambda::Version",
                "Properties": {"FunctionName": {"Ref": "Code"}},
            },
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Code"},
                    "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                    "Name": "live",
                },
            },
            "Cores": {"Type": "AWS::Greengrass::CoreDefinition", "Properties": {"Name": "c"}},
            "CoresV": {
                "Type": "AWS::Greengrass::CoreDefinitionVersion",
                "Properties": {"CoreDefinitionId": {"Ref": "Cores"}, "Cores": [core]},
            },
            "Functions": {
                "Type": "AWS::Greengrass::FunctionDefinition",
                "Properties": {"Name": "f", "InitialVersion": {"Functions": [function]}},
            },
            "SubscriptionsV": {
                "Type": "AWS::Greengrass::SubscriptionDefinitionVersion",
                "Properties": {
                    "Subscriptions": [
                        {"Id": "s", "Source": function_arn, "Subject": "x/#", "Target": "cloud"}
                    ]
                },
            },
            "Group": {"Type": "AWS::Greengrass::Group", "Properties": {"Name": name}},
        },
    }  # fmt: skip


def _assembly(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    archives.zipped(folder / "asset.zip", {"hello.py": b"handler = print\n"})
    artifacts = {}
    for name in names:
        (folder / f"{name}.template.json").write_text(json.dumps(_template(name)))
        asset = {
            "source": {"path": "asset.zip", "packaging": "file"},
            "destinations": {"here": {"bucketName": "b", "objectKey": KEY}},
        }
        (folder / f"{name}.assets.json").write_text(json.dumps({"files": {"a": asset}}))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://210987654321/eu-west-1",
            "properties": {"templateFile": f"{name}.template.json"},
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def test_an_assembly_runs_with_the_code_of_its_assets_and_no_cloud(tmp_path: Path) -> None:
    group = load(str(_assembly(tmp_path / "cdk.out", "line")), state=tmp_path / "state").group

    function = group.functions[0]
    assert function.arn == "arn:aws:lambda:eu-west-1:210987654321:function:hello:live"
    assert (function.pinned, function.timeout_s, function.handler) == (True, 5, "hello.handler")
    assert function.code is not None
    assert (function.code / "hello.py").is_file()
    assert group.core.thing_name == "the-core"
    assert group.core.thing_arn == "arn:aws:iot:eu-west-1:210987654321:thing/the-core"
    assert group.subscriptions[0].source == function.arn
    assert (group.name, group.region) == ("line", "eu-west-1")


def test_a_template_alone_finds_the_assets_beside_it(tmp_path: Path) -> None:
    folder = _assembly(tmp_path / "cdk.out", "line")

    assert load(str(folder / "line.template.json"), state=tmp_path / "state").group.functions


def test_of_several_sites_one_is_chosen_by_name(tmp_path: Path) -> None:
    folder = _assembly(tmp_path / "cdk.out", "line", "demo")

    with pytest.raises(SourceError, match=r"demo, line.*choose one as .*#demo"):
        load(str(folder), state=tmp_path / "state")
    assert load(f"{folder}#line", state=tmp_path / "state").group.name == "line"


def test_code_that_is_not_beside_the_template_is_named(tmp_path: Path) -> None:
    folder = _assembly(tmp_path / "cdk.out", "line")
    (folder / "line.assets.json").unlink()

    with pytest.raises(SourceError, match="pass the whole cloud assembly"):
        load(str(folder / "line.template.json"), state=tmp_path / "state")


def test_a_folder_that_is_no_assembly_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cdk synth"):
        load(str(tmp_path), state=tmp_path / "state")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]}, "a-r"),
        ({"Fn::Sub": "${AWS::AccountId}/${!Literal}/${P}"}, "1/${Literal}/p"),
        ({"Fn::Sub": ["${x}${T.Arn}", {"x": {"Ref": "P"}}]}, "parn:aws:iot:r:1:thing/T"),
        ({"Fn::Select": [1, {"Fn::Split": [":", "a:b:c"]}]}, "b"),
        ({"Fn::FindInMap": ["M", "k", "l"]}, "found"),
        ({"Fn::GetAtt": "T.Arn"}, "arn:aws:iot:r:1:thing/T"),
        ({"a": [{"Ref": "P"}], "b": 1}, {"a": ["p"], "b": 1}),
    ],
)
def test_each_function_evaluates_as_cloudformation_does(value: object, expected: object) -> None:
    template = {
        "Parameters": {"P": {"Default": "p"}},
        "Mappings": {"M": {"k": {"l": "found"}}},
        "Resources": {"T": {"Type": "AWS::IoT::Thing"}},
    }

    assert Resolver(template, account="1", region="r").resolve(value) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"Fn::ImportValue": "x"}, "not supported"),
        ({"Ref": "Nobody"}, "does not contain"),
        ({"Fn::FindInMap": ["M", "k", "l"]}, "no mapping"),
    ],
)
def test_what_cannot_be_known_is_refused_by_name(value: object, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        Resolver({}, account="1", region="r").resolve(value)


def test_a_template_that_refers_to_itself_ends() -> None:
    loop = {
        "Resources": {"A": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "A"}}}}
    }
    with pytest.raises(SourceError, match="refer to themselves"):
        Resolver(loop, account="1", region="r").resolve({"Ref": "A"})
