"""`fanfold import`: templates and files in the shapes that public V1 groups have."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgecore.sources import load
from fanfold.main import main

ARN = "arn:aws:lambda:us-east-1:123456789012:function:hello:3"
GROUP = """
  Core:
    Type: AWS::Greengrass::CoreDefinition
    Properties:
      Name: c
      InitialVersion:
        Cores: [{Id: '1', ThingArn: !Sub 'arn:aws:iot:${AWS::Region}:123456789012:thing/core',
                 CertificateArn: 'arn:aws:iot:us-east-1:123456789012:cert/0', SyncShadow: 'false'}]
  Functions:
    Type: AWS::Greengrass::FunctionDefinition
    Properties:
      Name: f
      InitialVersion:
        Functions:
          - Id: hello
            FunctionArn: FUNCTION
            FunctionConfiguration: {Pinned: 'true', Timeout: '300', MemorySize: '65536'}
  Group:
    Type: AWS::Greengrass::Group
    Properties:
      Name: press
      InitialVersion:
        CoreDefinitionVersionArn: !GetAtt Core.LatestVersionArn
        FunctionDefinitionVersionArn: !GetAtt Functions.LatestVersionArn
"""
INLINE = """
  Hello:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: hello
      Handler: index.handler
      Runtime: python3.8
      Code: {ZipFile: "def handler(event, context):\\n    return\\n"}
  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Hello}}
"""
SAM = """
  Hello:
    Type: AWS::Serverless::Function
    Properties: {AutoPublishAlias: prod, CodeUri: code/, Handler: main.handler, Runtime: python3.7}
"""


def _template(tmp_path: Path, function: str, *parts: str, head: str = "") -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text("def lambda_handler(event, context):\n    pass\n")
    path = tmp_path / "template.yaml"
    path.write_text(head + "Resources:" + GROUP.replace("FUNCTION", function) + "".join(parts))
    return path


def _imported(tmp_path: Path, source: Path | str, *arguments: str) -> dict[str, Any]:
    """The document, after the core itself has read it."""
    folder = tmp_path / "imported"
    assert main(["import", str(source), str(folder), *arguments]) == 0
    loaded = load(str(folder / "group.json"), state=tmp_path / "state")
    assert loaded.group.core.thing_name
    return json.loads((folder / "group.json").read_text())


def test_a_yaml_template_with_inline_code(tmp_path: Path) -> None:
    head = "AWSTemplateFormatVersion: 2010-09-09\n"
    document = _imported(tmp_path, _template(tmp_path, "!Ref Version", INLINE, head=head))
    (entry,) = document["Lambdas"].values()
    assert entry["Handler"] == "index.handler"
    assert (tmp_path / "imported" / entry["Code"] / "index.py").exists()


def test_conditions_decide_what_is_there(tmp_path: Path) -> None:
    head = """Parameters: {Stage: {Type: String, Default: test}}
Conditions:
  Live: !Equals [!Ref Stage, live]
  Test: !Not [!Condition Live]
"""
    other = """
  Second:
    Type: AWS::Greengrass::FunctionDefinition
    Condition: Live
    Properties: {Name: f, InitialVersion: {Functions: []}}
"""
    function = f"!If [Test, '{ARN}', !Ref Nothing]"
    document = _imported(tmp_path, _template(tmp_path, function, other, head=head))
    assert document["Functions"][0]["FunctionArn"] == ARN


@pytest.mark.parametrize("reference", ["!Ref Hello.Version", "!Ref Hello.Alias"])
def test_a_sam_template_with_code_beside_it(tmp_path: Path, reference: str) -> None:
    pytest.importorskip("samtranslator")
    head = "Transform: AWS::Serverless-2016-10-31\n"
    document = _imported(tmp_path, _template(tmp_path, reference, SAM, head=head))
    (entry,) = document["Lambdas"].values()
    assert entry["Runtime"] == "python3.7"
    assert (tmp_path / "imported" / entry["Code"] / "main.py").exists()


def test_a_packed_program_keeps_its_bit_and_runs_as_what_it_is(tmp_path: Path) -> None:
    """A C function from an archive: its file is what the group calls its Executable."""
    packed = tmp_path / "reader.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("reader")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, b"\x7fELF")
    path = _template(tmp_path, ARN)
    path.write_text(path.read_text().replace("{Pinned:", "{Executable: reader, Pinned:"))
    document = _imported(tmp_path, path, "--code", f"hello={packed}")
    assert document["Lambdas"][ARN]["Runtime"].endswith("runtime/function/executable")
    assert os.access(tmp_path / "imported" / "code" / "hello" / "reader", os.X_OK)


def test_a_parameter_without_a_default_is_asked_for(tmp_path: Path, capsys: Any) -> None:
    head = "Parameters: {Lambda: {Type: String}}\n"
    path = _template(tmp_path, "!Ref Lambda", head=head)
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "--parameter Lambda=VALUE" in capsys.readouterr().err
    code = f"hello={tmp_path / 'code'}"
    document = _imported(tmp_path, path, "--parameter", f"Lambda={ARN}", "--code", code)
    assert document["Lambdas"][ARN]["Handler"] == "main.lambda_handler"


def test_a_value_of_another_stack_is_asked_for(tmp_path: Path, capsys: Any) -> None:
    path = _template(tmp_path, "!ImportValue 'Other:Alias'")
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "--import-value 'Other:Alias=VALUE'" in capsys.readouterr().err
    document = _imported(tmp_path, path, "--import-value", f"Other:Alias={ARN}")
    report = (tmp_path / "imported" / "REPORT.md").read_text()
    assert document["Functions"][0]["FunctionArn"] == ARN
    assert "its code was not found" in report


def test_a_value_whose_name_is_put_together_is_asked_for_by_that_name(
    tmp_path: Path, capsys: Any
) -> None:
    head = "Parameters: {Stack: {Type: String, Default: other}}\n"
    name = "{'Fn::ImportValue': {'Fn::Join': ['-', [{Ref: Stack}, alias]]}}"
    path = _template(tmp_path, name, head=head)
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "--import-value 'other-alias=VALUE'" in " ".join(capsys.readouterr().err.split())
    document = _imported(tmp_path, path, "--import-value", f"other-alias={ARN}")
    assert document["Functions"][0]["FunctionArn"] == ARN


def test_a_greengo_file(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "function.py").write_text("def handler(event, context):\n    pass\n")
    path = tmp_path / "greengo.yaml"
    path.write_text("""
Group: {name: press}
Cores: [{name: press_core, SyncShadow: True}]
Lambdas:
  - {name: Hello, handler: function.handler, package: code, alias: dev,
     greengrassConfig: {MemorySize: 128000, Timeout: 10, Pinned: True,
       Environment: {AccessSysfs: False,
         ResourceAccessPolicies: [{ResourceId: in, Permission: ro}]}}}
Subscriptions:
  - {Source: 'Lambda::Hello', Subject: hello/world, Target: cloud}
Resources:
  - {Name: in, Id: in, LocalVolumeResourceData: {SourcePath: /images, DestinationPath: /input}}
""")
    document = _imported(tmp_path, path)
    assert document["Subscriptions"][0]["Source"] == document["Functions"][0]["FunctionArn"]
    assert (tmp_path / "imported" / "code" / "Hello" / "function.py").exists()


def test_a_group_json_of_a_device_with_the_code_beside_it(tmp_path: Path) -> None:
    deployment = tmp_path / "deployment"
    code = deployment / "lambda" / ARN
    code.mkdir(parents=True)
    (code / "main.py").write_text("def handler(event, context):\n    pass\n")
    configuration = {"Pinned": True, "Handler": "main.handler", "Runtime": "python3.7"}
    content = {
        "Region": "us-east-1",
        "Cores": [{"thingArn": "arn:aws:iot:us-east-1:123456789012:thing/core", "certArn": "x/0"}],
        "GroupDefinitions": {
            "Lambdas": {"Content": [{"FunctionArn": ARN, "DeploymentConfiguration": configuration}]}
        },
    }
    (deployment / "group").mkdir()
    (deployment / "group" / "group.json").write_text(json.dumps(content))
    document = _imported(tmp_path, deployment / "group" / "group.json")
    assert document["Lambdas"][ARN]["Code"] == "code/hello"


def _export(folder: Path, *, executable: str = "") -> Path:
    """What AWS's export_ggv1.sh leaves: answers of get-…-version, and the code."""
    start = "arn:aws:greengrass:eu-west-1:123456789012:/greengrass"
    ids = {"Function": "f", "Subscription": "s", "Core": "c", "Resource": "r"}
    definition = {
        f"{kind}DefinitionVersionArn": f"{start}/definition/{kind.lower()}s/{i}/versions/v1"
        for kind, i in ids.items()
    }
    configuration = {"Pinned": True, "Executable": executable}
    cam = "arn:aws:iot:eu-west-1:123456789012:thing/cam"
    subscription = {"Id": "1", "Source": cam, "Subject": "a/#", "Target": ARN}
    functions = [{"Id": "hello", "FunctionArn": ARN, "FunctionConfiguration": configuration},
        {"Id": "ip", "FunctionArn": "arn:aws:lambda:::function:GGIPDetector:1"}]  # fmt: skip
    code = folder / "lambda-code" / "hello"
    code.mkdir(parents=True)
    (code / "greeter.py").write_text("def greet(event, context):\n    pass\n")
    group = {"Arn": f"{start}/groups/0123456789/versions/1", "Id": "0123456789"}
    for name, content in (
        ("group", {**group, "Definition": definition}),
        ("functions", {"Definition": {"Functions": functions}}),
        ("subscriptions", {"Definition": {"Subscriptions": [subscription]}}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_an_export_of_the_api_with_what_it_lacks(tmp_path: Path) -> None:
    document = _imported(tmp_path, _export(tmp_path / "export", executable="greeter.greet"))
    assert document["Lambdas"][ARN]["Handler"] == "greeter.greet"
    assert [device["Id"] for device in document["Devices"]] == ["cam"]
    assert document["Core"]["ThingArn"] == "arn:aws:iot:eu-west-1:123456789012:thing/core-01234567"
    report = (tmp_path / "imported" / "REPORT.md").read_text()
    assert "get-resource-definition-version --resource-definition-id r" in report
    assert "get-core-definition-version" in report


def test_a_definition_added_to_an_export_is_read(tmp_path: Path) -> None:
    folder = _export(tmp_path / "export")
    core = {"Id": "1", "ThingArn": "arn:aws:iot:eu-west-1:123456789012:thing/press"}
    (folder / "core.json").write_text(json.dumps({"Definition": {"Cores": [core]}}))
    assert _imported(tmp_path, folder)["Core"] == core
    assert "core definition" not in (tmp_path / "imported" / "REPORT.md").read_text()


def test_the_core_listed_as_a_device_too_and_tabs_in_a_line(tmp_path: Path) -> None:
    device = """
  Devices:
    Type: AWS::Greengrass::DeviceDefinition
    Properties:
      Name: d\te
      InitialVersion:
        Devices: [{Id: '2', ThingArn: !Sub 'arn:aws:iot:${AWS::Region}:123456789012:thing/core',
                   CertificateArn: 'arn:aws:iot:us-east-1:123456789012:cert/0'}]
"""
    document = _imported(tmp_path, _template(tmp_path, ARN, device))
    assert document["Devices"] == []
    assert "is the core itself" in (tmp_path / "imported" / "REPORT.md").read_text()


SECOND = """
  Cores:
    Type: AWS::Greengrass::CoreDefinitionVersion
    Properties:
      CoreDefinitionId: !Ref Shell
      Cores: [{Id: '2', ThingArn: 'arn:aws:iot:us-east-1:123456789012:thing/oven',
               CertificateArn: 'arn:aws:iot:us-east-1:123456789012:cert/2'}]
  Shell: {Type: AWS::Greengrass::CoreDefinition, Properties: {Name: shell}}
  Oven: {Type: AWS::Greengrass::Group, Properties: {Name: oven}}
  OvenVersion:
    Type: AWS::Greengrass::GroupVersion
    Properties:
      GroupId: !GetAtt Oven.Id
      CoreDefinitionVersionArn: !Ref Cores
      FunctionDefinitionVersionArn: !GetAtt Functions.LatestVersionArn
"""


@pytest.mark.parametrize(("group", "thing"), [("Group", "core"), ("Oven", "oven")])
def test_of_several_groups_one_is_named_and_gets_the_definitions_that_it_names(
    tmp_path: Path, capsys: Any, group: str, thing: str
) -> None:
    path = _template(tmp_path, "!Ref Version", INLINE, SECOND)
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert f"#{group}" in "".join(capsys.readouterr().err.split())
    document = _imported(tmp_path, f"{path}#{group}")
    assert document["Core"]["ThingName"] == thing


def test_what_only_cloudformation_expands_is_named(tmp_path: Path, capsys: Any) -> None:
    loop = "\n  'Fn::ForEach::F': [N, [a, b], {'${N}Fn': {Type: AWS::SNS::Topic}}]\n"
    path = _template(tmp_path, "!Ref Version", INLINE, loop)
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "template-stage Processed" in " ".join(capsys.readouterr().err.split())


def test_what_of_a_template_is_not_imported_is_in_the_report(tmp_path: Path) -> None:
    """Layers, macros, and a runtime that no interpreter runs."""
    hello = INLINE.replace("Runtime: python3.8", "Runtime: java8\n      Layers: [layer]")
    _imported(tmp_path, _template(tmp_path, "!Ref Version", hello, head="Transform: [Mine]\n"))
    report = (tmp_path / "imported" / "REPORT.md").read_text()
    assert "transform 'Mine': is not evaluated" in report
    assert "function hello: its layers are not imported" in report
    assert "function hello cannot be started: runtime 'java8'" in report


def test_a_devices_code_in_folders_with_dots_and_what_its_file_holds_beside(tmp_path: Path) -> None:
    code = tmp_path / "lambda" / ARN.replace(":", ".")
    code.mkdir(parents=True)
    (code / "main.py").write_text("def handler(event, context):\n    pass\n")
    configuration = {"Pinned": True, "Handler": "main.handler", "Runtime": "python3.7"}
    content = {
        "Cores": [{"thingArn": "arn:aws:iot:us-east-1:123456789012:thing/core", "certArn": "x/0"}],
        "GroupDefinitions": {
            "Lambdas": {
                "Content": [{"FunctionArn": ARN, "DeploymentConfiguration": configuration}],
                "DefaultConfig": {"Execution": {"IsolationMode": "NoContainer"}},
            },
            "ShadowSync": {"Content": [{"thing": "x"}]},
            "Subscriptions": {"ref": "s3://elsewhere", "Content": None},
        },
    }
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "group.json").write_text(json.dumps(content))
    document = _imported(tmp_path, tmp_path / "group" / "group.json")
    assert (tmp_path / "imported" / "code" / "hello" / "main.py").exists()
    assert document["DefaultConfig"]["Execution"]["IsolationMode"] == "NoContainer"
    report = (tmp_path / "imported" / "REPORT.md").read_text()
    assert "ShadowSync with 1 entries is not read" in report
    assert "Subscriptions are kept elsewhere (s3://elsewhere)" in report


def test_a_document_by_hand_names_its_functions_by_arn_alone(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text("def handler(event, context):\n    pass\n")
    content = {
        "Core": {"ThingArn": "arn:aws:iot:us-east-1:123456789012:thing/core"},
        "Functions": [{"Id": "hello", "FunctionArn": ARN}],
        "Lambdas": {ARN: {"Handler": "main.handler", "Runtime": "python3.8", "Code": "code"}},
    }
    (tmp_path / "document.json").write_text(json.dumps(content))
    document = _imported(tmp_path, tmp_path / "document.json")
    assert document["Lambdas"][ARN]["Code"] == "code/hello"


def test_a_list_that_is_too_short_is_said_and_no_traceback(tmp_path: Path, capsys: Any) -> None:
    path = _template(tmp_path, "!Select [1, !Split [',', 'one']]")
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "no item 1 in ['one']" in " ".join(capsys.readouterr().err.split())


def test_what_is_no_group_is_refused_in_one_sentence(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\n")
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "expected a key Resources" in capsys.readouterr().err
