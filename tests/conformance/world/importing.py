"""Groups in the shapes that public templates have, imported and read by the core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def template(tmp_path: Path, function: str, *parts: str, head: str = "") -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text("def lambda_handler(event, context):\n    pass\n")
    path = tmp_path / "template.yaml"
    path.write_text(head + "Resources:" + GROUP.replace("FUNCTION", function) + "".join(parts))
    return path


def imported(tmp_path: Path, source: Path | str, *arguments: str) -> dict[str, Any]:
    """The document, after the core itself has read it."""
    folder = tmp_path / "imported"
    assert main(["import", str(source), str(folder), *arguments]) == 0
    loaded = load(str(folder / "group.json"), state=tmp_path / "state")
    assert loaded.group.core.thing_name
    return json.loads((folder / "group.json").read_text())
