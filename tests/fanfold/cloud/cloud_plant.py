"""A site in the development cloud without the CDK: the planner's document put there by boto3.

What `cdk deploy` makes, in a tenth of its time; the CDK itself is tested in tests/devcloud
and in test_whole_life.py.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from typing import Any
from zlib import compress, crc32

import pytest
import yaml
from checkout import PROJECT
from forked_core import CoreProcess, start_core
from verbs import run_verb
from waiting import eventually

import devcloud
from infra.packaging import build_lambdas
from infra.planning import load_site, plan_group, render
from infra.planning.definitions import KINDS

DEADLINE_S = 120.0
MODEL = {
    "v": 1, "name": "sim", "version": "1.0.0", "runtime": "simulated", "task": "classification",
    "input": {"shape": [1, 3, 32, 32]}, "simulated": {"wait_ms": 2},
}  # fmt: skip


def package(
    folder: Path, name: str, beside: dict[str, bytes] | None = None, **changes: Any
) -> Path:
    """A model package: the simulated model with `changes` to its model.json."""
    made = folder / f"{name}.tar.gz"
    inside = {"model.json": json.dumps({**MODEL, **changes}).encode(), **(beside or {})}
    with tarfile.open(made, "w:gz") as archive:
        for member, content in inside.items():
            path = folder / f".{name}-{member}"
            path.write_bytes(content)
            archive.add(path, member)
    return made


@functools.cache
def lambdas_zip() -> bytes:
    """The functions' code; the same bytes for every plant."""
    with tempfile.TemporaryDirectory() as folder:
        return build_lambdas(Path(folder) / "lambdas.zip").read_bytes()


def picture(number: int, size: int = 40) -> bytes:
    """A small PNG of one grey, distinct for each number."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    rows = compress((b"\0" + bytes([number % 256]) * size) * size)
    note = chunk(b"tEXt", b"number\0" + str(number).encode())
    body = chunk(b"IHDR", header) + note + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class Plant:
    """One site: its folder with `sites/`, its group in the cloud, its core."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path, name: str) -> None:
        self.cloud, self.folder, self.name = cloud, folder, name
        self.bucket = f"{name}-models"
        self.state = folder / "state"
        self.core_state = self.state / "core" / name
        self.process: CoreProcess | None = None
        self.dropped = 0
        (folder / "sites").mkdir()
        (folder / "device_profiles").symlink_to(PROJECT / "device_profiles")
        (folder / ".venv-device").symlink_to(PROJECT / ".venv-device")
        self.clients = {s: cloud.client(s) for s in ("greengrass", "iot", "s3", "lambda", "iam")}
        self.clients["s3"].create_bucket(Bucket=self.bucket)
        self._zip = lambdas_zip()
        self.write()

    @property
    def site_file(self) -> Path:
        return self.folder / "sites" / f"{self.name}.yaml"

    def write(self, **changes: Any) -> None:
        site = yaml.safe_load((PROJECT / "sites/demo.yaml").read_text())
        site.update(name=self.name, cameras=[{"name": "cam1"}])
        site["core"]["thing"] = f"{self.name}-core"
        site["model"]["s3_uri"] = f"s3://{self.bucket}/good.tar.gz"
        site["volumes"] = {
            "images": str(self.folder / "images"),
            "state": str(self.folder / "kept"),
        }
        site.update(changes)
        self.site_file.write_text(yaml.safe_dump(site))

    def publish(self, path: Path, key: str | None = None, **metadata: str) -> str:
        key = key or path.name
        self.clients["s3"].put_object(
            Bucket=self.bucket, Key=key, Body=path.read_bytes(), Metadata=metadata
        )
        return f"s3://{self.bucket}/{key}"

    def document(self, model: str | None = None) -> dict[str, Any]:
        site, profile = load_site(self.site_file, self.folder / "device_profiles")
        return render(plan_group(site.with_model(model) if model else site, profile))

    def deploy(self, model: str | None = None, code: bytes | None = None) -> str:
        """A new group version and its deployment; returns the deployment's id."""
        document = self.document(model)
        self._functions(document, code or self._zip)
        greengrass = self.clients["greengrass"]
        arns = {}
        for kind in KINDS:
            version = kind.version_properties(document)
            create = getattr(greengrass, f"create_{kind.name.lower()}_definition")
            if version[kind.content]:
                arn = create(InitialVersion=version)["LatestVersionArn"]
                arns[f"{kind.name}DefinitionVersionArn"] = arn
        version = greengrass.create_group_version(GroupId=self.group_id, **arns)["Version"]
        made = greengrass.create_deployment(
            GroupId=self.group_id, GroupVersionId=version, DeploymentType="NewDeployment"
        )
        return str(made["DeploymentId"])

    def code(self, note: bytes) -> bytes:
        """The functions' zip of another state of the code."""
        buffer = io.BytesIO(self._zip)
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.writestr(zipfile.ZipInfo("note.txt"), note)
        return buffer.getvalue()

    def live_code(self) -> bytes:
        """What the alias `live` of the first worker names."""
        answer = self.clients["lambda"].get_function(FunctionName=f"fanfold-{self.name}-w0:live")
        with urllib.request.urlopen(answer["Code"]["Location"], timeout=10) as code:
            return bytes(code.read())

    @functools.cached_property
    def group_id(self) -> str:
        greengrass = self.clients["greengrass"]
        known = {g["Name"]: g["Id"] for g in greengrass.list_groups()["Groups"]}
        return str(known.get(self.name) or greengrass.create_group(Name=self.name)["Id"])

    def _functions(self, document: dict[str, Any], code: bytes) -> None:
        aws = self.clients["lambda"]
        for arn, described in document["Lambdas"].items():
            name, alias = described["FunctionName"], arn.rsplit(":", 1)[1]
            try:
                aws.update_function_code(FunctionName=name, ZipFile=code)
            except aws.exceptions.ResourceNotFoundException:
                aws.create_function(
                    FunctionName=name, Runtime=described["Runtime"], Role=self._role(),
                    Handler=described["Handler"], Code={"ZipFile": code},
                )  # fmt: skip
            version = aws.publish_version(FunctionName=name)["Version"]
            try:
                aws.update_alias(FunctionName=name, Name=alias, FunctionVersion=version)
            except aws.exceptions.ResourceNotFoundException:
                aws.create_alias(FunctionName=name, Name=alias, FunctionVersion=version)

    def _role(self) -> str:
        iam, name = self.clients["iam"], f"{self.name}-role"
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole",
                 "Principal": {"Service": "lambda.amazonaws.com"}}  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        try:
            return str(iam.get_role(RoleName=name)["Role"]["Arn"])
        except iam.exceptions.NoSuchEntityException:
            made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)
            return str(made["Role"]["Arn"])

    def deployment(self, deployment_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.clients["greengrass"].get_deployment_status(
            GroupId=self.group_id, DeploymentId=deployment_id
        )
        return found

    def landed(self) -> set[tuple[str, int]]:
        """(stream, seq) of every result that reached the cloud."""
        found = self.cloud.messages(f"fanfold/{self.name}/results")
        batches = [json.loads(base64.b64decode(message["payload_b64"])) for message in found]
        return {(r["stream"], r["seq"]) for batch in batches for r in batch["results"]}

    def drop(self, count: int) -> None:
        """New pictures into the drop folder of cam1."""
        folder = self.folder / "images" / "drop" / "cam1"
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            self.dropped += 1
            part = folder / ".part"
            part.write_bytes(picture(self.dropped))
            part.rename(folder / f"{self.dropped:05}.png")

    # The core and the command line.

    def environment(self) -> dict[str, str]:
        return {
            **os.environ, **self.cloud.env(), "FANFOLD_STATE": str(self.state),
            "PYTHONPATH": str(PROJECT), "NO_COLOR": "1",
        }  # fmt: skip

    def fanfold(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_verb(*arguments, cwd=self.folder, env=self.environment(), timeout=DEADLINE_S * 2)

    def start_core(self, *arguments: str) -> None:
        for folder in ("images", "kept"):
            (self.folder / folder).mkdir(exist_ok=True)
        self.core_state.mkdir(parents=True, exist_ok=True)
        ports = ["--ipc-port", "0", "--mqtt-port", "off", "--http-port", "0"]
        command = [sys.executable, "-m", "edgecore", "--group", f"greengrass:{self.name}", *ports]
        command += ["--mqtt-plain-port", "0", "--state", str(self.core_state), "--poll-s", "1"]
        command += ["--python", f"python3.8={PROJECT / '.venv-device/bin/python'}", *arguments]
        with (self.folder / "core.out").open("ab") as log:
            self.process = start_core(command, cwd=self.folder, env=self.environment(), stdout=log)
        eventually(self._is_up, "core up")

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail((self.folder / "core.out").read_text()[-4000:])
        return (self.core_state / "core.json").exists()

    def status(self) -> dict[str, Any]:
        facts = json.loads((self.core_state / "core.json").read_text())
        address = f"http://127.0.0.1:{facts['ports']['http']}/api/status"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def running_model(self) -> str:
        """The S3 URI of the model that the core has now."""
        document = json.loads((self.core_state / "deployment/current/group.json").read_text())
        return next(model["S3Uri"] for model in document["Models"].values())

    def outcomes(self) -> dict[str, str]:
        """Deployment → its last outcome on the core."""
        return {h["deployment"]: h["outcome"] for h in self.status()["group"]["history"]}

    def stop_core(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(DEADLINE_S)
        (self.core_state / "core.json").unlink(missing_ok=True)
