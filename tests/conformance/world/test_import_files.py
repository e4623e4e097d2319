"""`fanfold import`: what is no template: greengo.yaml, exports, group.json, documents by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from importing import ARN, imported, template

from fanfold.main import main


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
    document = imported(tmp_path, path)
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
    document = imported(tmp_path, deployment / "group" / "group.json")
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
    document = imported(tmp_path, _export(tmp_path / "export", executable="greeter.greet"))
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
    assert imported(tmp_path, folder)["Core"] == core
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
    document = imported(tmp_path, template(tmp_path, ARN, device))
    assert document["Devices"] == []
    assert "is the core itself" in (tmp_path / "imported" / "REPORT.md").read_text()


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
    document = imported(tmp_path, tmp_path / "group" / "group.json")
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
    document = imported(tmp_path, tmp_path / "document.json")
    assert document["Lambdas"][ARN]["Code"] == "code/hello"


def test_a_list_that_is_too_short_is_said_and_no_traceback(tmp_path: Path, capsys: Any) -> None:
    path = template(tmp_path, "!Select [1, !Split [',', 'one']]")
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "no item 1 in ['one']" in " ".join(capsys.readouterr().err.split())


def test_what_is_no_group_is_refused_in_one_sentence(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\n")
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "expected a key Resources" in capsys.readouterr().err
