"""`fanfold import`: templates and files in the shapes that public V1 groups have."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from importing import ARN, INLINE, SAM, imported, template

from fanfold.main import main


def test_a_yaml_template_with_inline_code(tmp_path: Path) -> None:
    head = "AWSTemplateFormatVersion: 2010-09-09\n"
    document = imported(tmp_path, template(tmp_path, "!Ref Version", INLINE, head=head))
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
    document = imported(tmp_path, template(tmp_path, function, other, head=head))
    assert document["Functions"][0]["FunctionArn"] == ARN


@pytest.mark.parametrize("reference", ["!Ref Hello.Version", "!Ref Hello.Alias"])
def test_a_sam_template_with_code_beside_it(tmp_path: Path, reference: str) -> None:
    pytest.importorskip("samtranslator")
    head = "Transform: AWS::Serverless-2016-10-31\n"
    document = imported(tmp_path, template(tmp_path, reference, SAM, head=head))
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
    path = template(tmp_path, ARN)
    path.write_text(path.read_text().replace("{Pinned:", "{Executable: reader, Pinned:"))
    document = imported(tmp_path, path, "--code", f"hello={packed}")
    assert document["Lambdas"][ARN]["Runtime"].endswith("runtime/function/executable")
    assert os.access(tmp_path / "imported" / "code" / "hello" / "reader", os.X_OK)


def test_a_parameter_without_a_default_is_asked_for(tmp_path: Path, capsys: Any) -> None:
    head = "Parameters: {Lambda: {Type: String}}\n"
    path = template(tmp_path, "!Ref Lambda", head=head)
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "--parameter Lambda=VALUE" in capsys.readouterr().err
    code = f"hello={tmp_path / 'code'}"
    document = imported(tmp_path, path, "--parameter", f"Lambda={ARN}", "--code", code)
    assert document["Lambdas"][ARN]["Handler"] == "main.lambda_handler"


def test_a_value_of_another_stack_is_asked_for(tmp_path: Path, capsys: Any) -> None:
    path = template(tmp_path, "!ImportValue 'Other:Alias'")
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "--import-value 'Other:Alias=VALUE'" in capsys.readouterr().err
    document = imported(tmp_path, path, "--import-value", f"Other:Alias={ARN}")
    report = (tmp_path / "imported" / "REPORT.md").read_text()
    assert document["Functions"][0]["FunctionArn"] == ARN
    assert "its code was not found" in report


def test_a_value_whose_name_is_put_together_is_asked_for_by_that_name(
    tmp_path: Path, capsys: Any
) -> None:
    head = "Parameters: {Stack: {Type: String, Default: other}}\n"
    name = "{'Fn::ImportValue': {'Fn::Join': ['-', [{Ref: Stack}, alias]]}}"
    path = template(tmp_path, name, head=head)
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "--import-value 'other-alias=VALUE'" in " ".join(capsys.readouterr().err.split())
    document = imported(tmp_path, path, "--import-value", f"other-alias={ARN}")
    assert document["Functions"][0]["FunctionArn"] == ARN


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
    path = template(tmp_path, "!Ref Version", INLINE, SECOND)
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert f"#{group}" in "".join(capsys.readouterr().err.split())
    document = imported(tmp_path, f"{path}#{group}")
    assert document["Core"]["ThingName"] == thing


def test_what_only_cloudformation_expands_is_named(tmp_path: Path, capsys: Any) -> None:
    loop = "\n  'Fn::ForEach::F': [N, [a, b], {'${N}Fn': {Type: AWS::SNS::Topic}}]\n"
    path = template(tmp_path, "!Ref Version", INLINE, loop)
    assert main(["import", str(path), str(tmp_path / "no")]) == 2
    assert "template-stage Processed" in " ".join(capsys.readouterr().err.split())


def test_what_of_a_template_is_not_imported_is_in_the_report(tmp_path: Path) -> None:
    """Layers, macros, and a runtime that no interpreter runs."""
    hello = INLINE.replace("Runtime: python3.8", "Runtime: java8\n      Layers: [layer]")
    imported(tmp_path, template(tmp_path, "!Ref Version", hello, head="Transform: [Mine]\n"))
    report = (tmp_path / "imported" / "REPORT.md").read_text()
    assert "transform 'Mine': is not evaluated" in report
    assert "function hello: its layers are not imported" in report
    assert "function hello cannot be started: runtime 'java8'" in report
