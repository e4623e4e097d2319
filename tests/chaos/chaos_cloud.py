"""The development cloud as the far side: groups deployed there, results read back from there."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from chaos_site import NAME

from devcloud.process import DevCloud

MODELS, OUTBOX = "chaos-models", "chaos-results"
ROLE = {"Version": "2012-10-17", "Statement": []}
ALIAS = "live"
CODE = "lambdas.zip"
#: Records by key.
Objects = dict[str, list[dict[str, Any]]]


class FarSide:
    """Buckets, a role, the group; ``deploy`` makes a new deployment of it."""

    def __init__(self, cloud: DevCloud) -> None:
        self.cloud = cloud
        self._greengrass, self._lambda = cloud.client("greengrass"), cloud.client("lambda")
        self._s3, iam = cloud.client("s3"), cloud.client("iam")
        for bucket in (MODELS, OUTBOX):
            self._s3.create_bucket(Bucket=bucket)
        role = iam.create_role(RoleName="chaos", AssumeRolePolicyDocument=json.dumps(ROLE))
        self._role = role["Role"]["Arn"]
        self._group = self._greengrass.create_group(Name=NAME)["Id"]
        self._known: set[str] = set()

    def deploy(self, document: dict[str, Any], model: Path) -> str:
        """The group of ``document``, its model under a key of its own; the version's id."""
        key = f"{model.stem}-{len(model.read_bytes())}-{abs(hash(model.read_bytes()))}.tar.gz"
        self._s3.put_object(Bucket=MODELS, Key=key, Body=model.read_bytes())
        for resource in document["Resources"]:
            data = resource["ResourceDataContainer"].get("S3MachineLearningModelResourceData")
            if data:
                data["S3Uri"] = f"s3://{MODELS}/{key}"
        for entry in document["Lambdas"].values():
            self._function(entry)
        version = self._greengrass.create_group_version(
            GroupId=self._group,
            CoreDefinitionVersionArn=self._definition("core", Cores=[_thing(document["Core"])]),
            DeviceDefinitionVersionArn=self._definition(
                "device", Devices=[_thing(device) for device in document["Devices"]]
            ),
            FunctionDefinitionVersionArn=self._definition(
                "function",
                Functions=document["Functions"],
                DefaultConfig=document["DefaultConfig"],
            ),
            **{
                f"{kind}DefinitionVersionArn": self._definition(
                    kind.lower(), **{f"{kind}s": document[f"{kind}s"]}
                )
                for kind in ("Resource", "Subscription")
            },
        )["Version"]
        self._greengrass.create_deployment(
            GroupId=self._group, GroupVersionId=version, DeploymentType="NewDeployment"
        )
        return str(version)

    def _definition(self, kind: str, **version: Any) -> str:
        create = getattr(self._greengrass, f"create_{kind}_definition")
        return str(create(InitialVersion=version)["LatestVersionArn"])

    def _function(self, entry: dict[str, Any]) -> None:
        """Code is the same in every deployment: what is there stays."""
        name = entry["FunctionName"]
        if name in self._known:
            return
        self._known.add(name)
        self._s3.put_object(Bucket=MODELS, Key=CODE, Body=Path(entry["Code"]).read_bytes())
        self._lambda.create_function(
            FunctionName=name, Runtime=entry["Runtime"], Handler=entry["Handler"],
            Role=self._role, Code={"S3Bucket": MODELS, "S3Key": CODE},
        )  # fmt: skip
        version = self._lambda.publish_version(FunctionName=name)["Version"]
        self._lambda.create_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)

    def records(self) -> list[dict[str, Any]]:
        return records_on(self.cloud, f"fanfold/{NAME}/results")

    def objects(self) -> Objects:
        return stored_in(self._s3)


def records_on(cloud: DevCloud, topic: str) -> list[dict[str, Any]]:
    """What AWS IoT was sent, in the order of its arrival."""
    payloads = [json.loads(base64.b64decode(m["payload_b64"])) for m in cloud.messages(topic)]
    return [{**r, "epoch": payload["epoch"]} for payload in payloads for r in payload["results"]]


def stored_in(s3: Any, known: Objects | None = None) -> Objects:
    """The S3 outbox: records by key, keys in order. What is ``known`` is not read again."""
    had = known or {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=OUTBOX)
    keys = sorted(e["Key"] for page in pages for e in page.get("Contents", ()))
    return {key: had.get(key) or _lines(s3, key) for key in keys if "/stream=" in key}


def _lines(s3: Any, key: str) -> list[dict[str, Any]]:
    body = s3.get_object(Bucket=OUTBOX, Key=key)["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def _thing(entry: dict[str, Any]) -> dict[str, Any]:
    """The document knows a name beside what the API takes."""
    return {key: value for key, value in entry.items() if key != "ThingName"}
