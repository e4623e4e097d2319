"""A CDK cloud assembly as a group document; the core itself reads no template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import archives
import pytest

from edgecore.core.group import Group
from edgecore.sources import SourceError, load
from edgecore.sources.aws_clients import AwsClients
from fanfold.common.errors import UserError
from fanfold.importing.for_core import source_for_core
from fanfold.importing.intrinsics import Resolver

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


def _group(source: Path | str, state: Path) -> Group:
    """What the core reads of the document that stands for ``source``."""
    document, noted = source_for_core(str(source), state, AwsClients())
    assert noted == []
    return load(document, state=state).group


def test_an_assembly_runs_with_the_code_of_its_assets_and_no_cloud(tmp_path: Path) -> None:
    group = _group(_assembly(tmp_path / "cdk.out", "line"), tmp_path / "state")

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

    assert _group(folder / "line.template.json", tmp_path / "state").functions


def test_of_several_sites_one_is_chosen_by_name(tmp_path: Path) -> None:
    folder = _assembly(tmp_path / "cdk.out", "line", "demo")

    with pytest.raises(UserError, match=r"demo, line.*choose one as .*#demo"):
        _group(folder, tmp_path / "state")
    assert _group(f"{folder}#line", tmp_path / "state").name == "line"


def test_code_that_is_not_beside_the_template_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):  # nobody to ask S3 as
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    folder = _assembly(tmp_path / "cdk.out", "line")
    (folder / "line.assets.json").unlink()

    template = str(folder / "line.template.json")
    cloud = AwsClients(endpoint_url="http://127.0.0.1:9", region="us-east-1")
    _, noted = source_for_core(template, tmp_path / "state", cloud)
    assert "function hello: its code was not found" in noted[0]


def test_a_folder_that_is_no_assembly_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cdk synth"):
        _group(tmp_path, tmp_path / "state")


@pytest.mark.parametrize("name", ["", "line.template.json"])
def test_the_core_itself_reads_no_template_and_says_what_does(tmp_path: Path, name: str) -> None:
    folder = _assembly(tmp_path / "cdk.out", "line")

    with pytest.raises(SourceError, match="fanfold import SOURCE FOLDER"):
        load(str(folder / name), state=tmp_path / "state")


def test_what_the_core_reads_is_passed_on_as_it_is(tmp_path: Path) -> None:
    document = tmp_path / "group.json"
    document.write_text('{"Core": {}}')

    for source in (str(document), "greengrass:line", "jobs", "components:/x"):
        assert source_for_core(source, tmp_path / "state", AwsClients()) == (source, [])


def test_a_second_start_reads_the_template_anew(tmp_path: Path) -> None:
    folder = _assembly(tmp_path / "cdk.out", "line")
    assert _group(folder, tmp_path / "state").name == "line"
    (folder / "line.template.json").write_text(json.dumps(_template("other")))

    assert _group(folder, tmp_path / "state").name == "other"


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
        ({"Fn::ImportValue": "x"}, "not evaluated"),
        ({"Ref": "Nobody"}, "does not contain"),
        ({"Fn::FindInMap": ["M", "k", "l"]}, "no mapping"),
    ],
)
def test_what_cannot_be_known_is_refused_by_name(value: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Resolver({}, account="1", region="r").resolve(value)


def test_a_template_that_refers_to_itself_ends() -> None:
    loop = {
        "Resources": {"A": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "A"}}}}
    }
    with pytest.raises(UserError, match="refer to themselves"):
        Resolver(loop, account="1", region="r").resolve({"Ref": "A"})


def test_a_list_parameter_is_a_list() -> None:
    parameters = {"L": {"Type": "CommaDelimitedList", "Default": "a, b"}}

    resolver = Resolver({"Parameters": parameters}, account="1", region="r")

    assert resolver.resolve({"Fn::Select": ["1", {"Ref": "L"}]}) == "b"


@pytest.mark.parametrize(
    ("value", "words"),
    [({"Ref": "P"}, "--parameter P=VALUE"), ("{{resolve:ssm:/a:1}}", "resolve:ssm:/a:1")],
)
def test_what_only_a_deployment_looks_up_is_asked_for(value: object, words: str) -> None:
    parameter = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a"}
    resolver = Resolver({"Parameters": {"P": parameter}}, account="1", region="r")

    with pytest.raises(UserError, match=words):
        resolver.resolve({"Name": [value]})
