"""A small group document and the files it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PREFIX = "arn:aws:lambda:us-east-1:123456789012:function"
THINGS = "arn:aws:iot:us-east-1:123456789012:thing"
CERTS = "arn:aws:iot:us-east-1:123456789012:cert"


def thing(name: str) -> dict[str, Any]:
    return {
        "Id": name,
        "ThingName": name,
        "ThingArn": f"{THINGS}/{name}",
        "CertificateArn": f"{CERTS}/{name}",
        "SyncShadow": False,
    }


def document(code: str = "code", **changes: Any) -> dict[str, Any]:
    arn = f"{PREFIX}:hello:live"
    return {
        "Name": "demo",
        "Region": "us-east-1",
        "Core": thing("demo-core"),
        "Devices": [thing("demo-cam1")],
        "Functions": [
            {
                "Id": "hello",
                "FunctionArn": arn,
                "FunctionConfiguration": {
                    "Pinned": True,
                    "MemorySize": 65536,
                    "Timeout": 7,
                    "EncodingType": "binary",
                    "Environment": {"Variables": {"GPU_ID": "0"}},
                },
            }
        ],
        "DefaultConfig": {"Execution": {"IsolationMode": "NoContainer"}},
        "Resources": [],
        "Subscriptions": [{"Id": "s", "Source": arn, "Subject": "a/#", "Target": "cloud"}],
        "Loggers": [],
        "Lambdas": {
            arn: {
                "FunctionName": "hello",
                "Handler": "hello.handler",
                "Runtime": "python3.8",
                "Code": code,
            }
        },
        **changes,
    }


def write(folder: Path, body: str = "def handler(e, c): pass\n", **changes: Any) -> Path:
    """``folder/group.json`` with ``folder/code/hello.py`` beside it."""
    code = folder / "code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "hello.py").write_text(body)
    path = folder / "document.json"
    path.write_text(json.dumps(document(**changes)))
    return path
