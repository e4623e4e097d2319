"""A site for a thing group in the development cloud, and its boxes: cores with a certificate each.

The first stack is synthesized and created as CloudFormation would; the second one's resource, the
job, is made by its own handler. Only the CDK's command line is left out, which costs a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import PROJECT
from cloud_plant import DEADLINE_S, lambdas_zip, picture
from forked_core import CoreProcess, start_core
from verbs import run_verb
from waiting import eventually

import devcloud
from fanfold.cloud.access import Access
from fanfold.cloud.jobs import SiteJob, read_jobs
from infra.deployer import jobs
from infra.planning import load_site, plan_group, render
from infra.targets.iot.names import IotNames
from infra.targets.iot.request import group_document, request

Document = dict[str, Any]


class Unhurried:
    """The handler's clock, with as much time as a test may need."""

    def __init__(self) -> None:
        import time

        self.now, self.sleep = time.monotonic, time.sleep

    def left_s(self) -> float:
        return DEADLINE_S


class BoxedSite:
    """One site file for all boxes of `group`; `boxes` are those that run here."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path, name: str) -> None:
        self.cloud, self.folder, self.name = cloud, folder, name
        self.group, self.bucket = f"{name}-boxes", f"{name}-models"
        self.state = folder / "state"
        self.state.mkdir()
        (self.state / "devcloud").symlink_to(cloud.state_dir)
        (folder / "sites").mkdir()
        (folder / "device_profiles").symlink_to(PROJECT / "device_profiles")
        self.s3, self.iot = cloud.client("s3"), cloud.client("iot")
        self.s3.create_bucket(Bucket=self.bucket)
        self.document = self._document()

    def _document(self) -> Document:
        site = yaml.safe_load((PROJECT / "sites/demo-iot.yaml").read_text())
        site.update(
            name=self.name, workers=1, cameras=[{"name": "cam1"}], core={"group": self.group},
            model={"s3_uri": f"s3://{self.bucket}/good.tar.gz"},
            rollout={
                "per_minute": 100, "timeout_s": 600,
                "abort": {"failed_percent": 60, "after": 2},
            },
            volumes={
                "images": str(self.folder / "boxes/${thing}/images"),
                "state": str(self.folder / "boxes/${thing}/kept"),
            },
        )  # fmt: skip
        path = self.folder / "sites" / f"{self.name}.yaml"
        path.write_text(yaml.safe_dump(site))
        return render(plan_group(*load_site(path, self.folder / "device_profiles")))

    @property
    def names(self) -> IotNames:
        return IotNames.of(self.document)

    def make_cloud_stack(self) -> None:
        """Policy, role alias, thing group, buckets, rules: the site's own first stack."""
        import aws_cdk as cdk

        from infra.stacks.cloud_stack import CloudStack

        app = cdk.App(
            outdir=str(self.folder / "cdk.out"),
            analytics_reporting=False,
            builtin_cloud_formation_validation=False,
        )
        made = CloudStack(app, document=self.document)
        template = app.synth().get_stack_by_name(made.stack_name).template
        template.get("Parameters", {}).pop("BootstrapVersion", None)
        template.pop("Rules", None)
        cloudformation = self.cloud.client("cloudformation")
        cloudformation.create_stack(StackName=self.name, TemplateBody=json.dumps(template))
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=self.name, WaiterConfig={"Delay": 1}
        )

    def publish(self, package: Path) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=package.name, Body=package.read_bytes())
        return f"s3://{self.bucket}/{package.name}"

    def deploy(self, model: str, wait_s: float, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """What the deployer answers CloudFormation. Raises DeploymentError as it does."""
        site, profile = load_site(
            self.folder / "sites" / f"{self.name}.yaml", self.folder / "device_profiles"
        )
        document = render(plan_group(site.with_model(model), profile))
        for name, body in (("group.json", group_document(document)), ("code.zip", lambdas_zip())):
            self.s3.put_object(Bucket=self.bucket, Key=name, Body=body)
        wanted = {
            **request(document),
            "GroupUri": f"s3://{self.bucket}/group.json",
            "CodeUri": f"s3://{self.bucket}/code.zip",
        }
        event = {
            "RequestType": "Create", "RequestId": uuid.uuid4().hex, "ResourceProperties": wanted,
        }  # fmt: skip
        monkeypatch.setenv("WAIT_SECONDS", str(wait_s))
        return jobs.handle(event, self.iot, self.s3, Unhurried())

    def jobs(self) -> list[SiteJob]:
        """Newest first, as every verb reads them."""
        return read_jobs(Access("us-east-1", self.cloud), self.names.job_prefix)

    def fanfold(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ, **self.cloud.env(), "FANFOLD_STATE": str(self.state),
            "PYTHONPATH": str(PROJECT), "NO_COLOR": "1",
        }  # fmt: skip
        return run_verb(*arguments, cwd=self.folder, env=environment, timeout=DEADLINE_S * 2)

    def landed(self) -> dict[str, set[str]]:
        """Thing → records of it, by stream and number, in the results bucket."""
        bucket = f"fanfold-{self.name}-123456789012-us-east-1"
        found: dict[str, set[str]] = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                body = self.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                batch = json.loads(body)
                told = found.setdefault(batch["core"], set())
                told.update(f"{record['stream']}-{record['seq']}" for record in batch["results"])
        return found


class Box:
    """A device that was given its join file and nothing else."""

    def __init__(self, site: BoxedSite, thing: str) -> None:
        self.site, self.thing = site, thing
        self.folder = site.folder / "boxes" / thing
        self.state = self.folder / "core"
        self.process: CoreProcess | None = None
        self.own_key: Path | None = None

    def request(self) -> Path:
        """A key that only this box has, and the request for it, both by OpenSSL."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.own_key, csr = self.folder / f"{self.thing}.key", self.folder / "request.csr"
        command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt"]
        command += ["ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={self.thing}"]
        command += ["-keyout", str(self.own_key), "-out", str(csr)]
        subprocess.run(command, capture_output=True, check=True)
        return csr

    @property
    def join(self) -> Path:
        """Beside the box's own key, where it has one."""
        made = self.site.state / "certificates" / self.site.name / self.thing / f"{self.thing}.join"
        if self.own_key is None:
            return made
        return Path(shutil.copy(made, self.own_key.with_name(made.name)))

    def start(self) -> None:
        for folder in ("images", "kept", "core"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "edgecore", "--join", str(self.join)]
        command += ["--state", str(self.state), "--mqtt-port", "off", "--ipc-port", "0"]
        command += ["--http-port", "0", "--mqtt-plain-port", "off", "--function-user", "root"]
        command += ["--python", f"python3.8={PROJECT / '.venv-device/bin/python'}"]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        environment.update(PYTHONPATH=str(PROJECT), AWS_ENDPOINT_URL=self.site.cloud.url)
        with (self.folder / "core.out").open("ab") as log:
            self.process = start_core(command, env=environment, stdout=log)
        eventually(self._is_up, f"{self.thing} up")

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail((self.folder / "core.out").read_text()[-4000:])
        return (self.state / "core.json").exists()

    def status(self) -> Document:
        facts = json.loads((self.state / "core.json").read_text())
        address = f"http://127.0.0.1:{facts['ports']['http']}/api/status"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found: Document = json.load(answer)
        return found

    def model(self) -> str:
        """Version of the model that the group here was deployed with."""
        group = json.loads((self.state / "deployment/current/group.json").read_text())
        (model,) = group["Models"].values()
        return str(model["S3Uri"]).rpartition("/")[2]

    def drop(self, numbers: range) -> None:
        folder = self.folder / "images" / "drop" / "cam1"
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            part = folder / ".part"
            part.write_bytes(picture(number))
            part.rename(folder / f"{number:05}.png")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(DEADLINE_S)
        (self.state / "core.json").unlink(missing_ok=True)
