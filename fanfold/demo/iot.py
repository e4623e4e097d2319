"""The demo for target iot: a core that holds a certificate, and deployments by AWS IoT jobs.

The same story as `fanfold.demo.run`, and beside it: a model that cannot run is rolled back by
the device, and the link is cut while images come.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devcloud import DevCloud
from devcloud import find as find_cloud
from fanfold.cloud.access import Access
from fanfold.cloud.jobs import SiteJob, read_jobs
from fanfold.common import output
from fanfold.common.errors import FAILED, UserError
from fanfold.common.project import read_site, site_file
from fanfold.demo.run import BUCKET, VOLUMES, Demo
from fanfold.localcore.volumes import clear, refuse_in_use
from infra.targets.iot.names import IotNames

SITE = "demo-iot"
BAD_KEY = "models/lite0/1.2.0-broken.tar.gz"
LINK_TIMEOUT_S = 60.0
AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@dataclass
class IotDemo(Demo):
    """`facts` are what this target adds to the outcome."""

    site: str = SITE
    outcome_file: str = "demo-iot.json"
    facts: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """All steps; writes and returns the outcome. Raises UserError where one fails."""
        refuse_in_use(VOLUMES)
        with self._everything_stopped(), self._no_certificates():
            clear(VOLUMES)
            self._prepare()
            first, second = self._publish()
            self._deploy(first, "deploy")
            self._provision()
            self._core()
            self._await_model("1.0.0")
            before = self._send("first model")
            self._deploy(second, "new model deployed")
            self._await_model("1.1.0")
            self._bad_model()
            with self._link_cut():
                after = self._send("second model, link cut")
            landed = self._show_cloud(before + after)
            self._look_at_the_device()
            thing = f"thing/{read_site(self.site)[0].core.thing}"
            return self._judge([before, after], (thing, thing), landed)

    @contextmanager
    def _no_certificates(self) -> Iterator[None]:
        """A cloud in memory forgets its certificates; the record of them must not outlive it."""
        record = site_file(self.site).parent / "certificates" / f"{self.site}.json"
        record.unlink(missing_ok=True)
        try:
            yield
        finally:
            record.unlink(missing_ok=True)

    def _deploy(self, uri: str, measure: str) -> str:
        self._step(f"cdk deploy {self.site} -c model={uri}: an IoT job for the device")
        wait_s = "1" if measure == "deploy" else "120"
        arguments = ["deploy", self.site, "--model", uri, "--wait-s", wait_s]
        said = self._fanfold(arguments, measure, show=False)
        for line in said.splitlines():
            if line.startswith(f"{self.site}.") or "core " in line:
                output.out.print(f"  {line.strip()}", markup=False)
        return ""

    def _provision(self) -> None:
        self._step("A certificate for the core; its join file is all that the device gets")
        self._fanfold(["provision", self.site], None)

    def _core(self) -> None:
        self._step("The core joins with its certificate and finds its job")
        ports = ["--mqtt-plain-port", "0", "--ipc-port", "0", "--http-port", "0"]
        self._fanfold(["run", self.site, "--detach", *ports], "core ready")

    def _bad_model(self) -> None:
        self._step("A model that cannot run: the device refuses it and goes back")
        cloud = self._cloud()
        cloud.client("s3").put_object(Bucket=BUCKET, Key=BAD_KEY, Body=_broken_package())
        uri = f"s3://{BUCKET}/{BAD_KEY}"
        arguments = ["deploy", self.site, "--model", uri, "--wait-s", "240"]
        started = time.monotonic()
        done = subprocess.run(
            self._command(arguments), env=self._environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        self.measured["bad model rolled back"] = time.monotonic() - started
        bad = [job for job in self._jobs() if job.outcome == "Failure"]
        self.facts["job_status"] = bad[0].devices[0].status if bad and bad[0].devices else "?"
        self._await_model("1.1.0")
        self.facts["rolled_back"] = done.returncode != 0 and bool(bad)
        for job in bad:
            output.out.print(f"  {job.error[:300]}", markup=False)

    def _link_cut(self) -> _LinkCut:
        return _LinkCut(self._cloud(), read_site(self.site)[0].core.thing, self._step)

    def _look_at_the_device(self) -> None:
        """What the core itself holds, by its process and its own status."""
        core = self.state / "core" / self.site / "core.json"
        pid = json.loads(core.read_text(encoding="utf-8"))["pid"]
        held = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        names = {entry.partition(b"=")[0].decode() for entry in held}
        self.facts["aws_keys_on_device"] = bool(names & set(AWS_KEYS))
        status = json.loads(self._fanfold(["status", self.site, "--json"], None, show=False))
        cloud = status["cloud"]
        self.facts["uplink"] = "mqtt-mtls" if cloud["sink"] == "iot-mqtt" else cloud["sink"]
        lent = (cloud.get("credentials") or {}).get("expires_at")
        self.facts["credentials"] = "role-alias" if lent else "none"

    def _further_facts(self) -> dict[str, Any]:
        return dict(self.facts)

    def _further_complaints(self, outcome: dict[str, Any]) -> list[str]:
        wanted = {
            "rolled_back": True, "credentials": "role-alias", "uplink": "mqtt-mtls",
            "aws_keys_on_device": False,
        }  # fmt: skip
        return [
            f"{name}: {outcome.get(name)!r}, not {value!r}"
            for name, value in wanted.items()
            if outcome.get(name) != value
        ]

    def _jobs(self) -> list[SiteJob]:
        site = read_site(self.site)[0]
        prefix = IotNames(site.name, site.account, site.region).job_prefix
        return read_jobs(Access(site.region, self._cloud()), prefix)

    def _cloud(self) -> DevCloud:
        cloud = find_cloud(self.state / "devcloud")
        if cloud is None:
            raise UserError("the development cloud ended; see its server.log", FAILED)
        return cloud


class _LinkCut:
    """The core's certificate does not count while this lasts: cut off, and refused again."""

    def __init__(self, cloud: DevCloud, thing: str, say: Any) -> None:
        self._cloud, self._thing, self._say = cloud, thing, say
        (arn,) = cloud.client("iot").list_thing_principals(thingName=thing)["principals"]
        self._certificate = arn.rpartition("/")[2]

    def __enter__(self) -> None:
        self._say("The link is cut")
        self._set("INACTIVE")

    def __exit__(self, *exc: object) -> None:
        self._set("ACTIVE")
        self._say("The link is restored")
        deadline = time.monotonic() + LINK_TIMEOUT_S
        while time.monotonic() < deadline:
            known = {each["client_id"] for each in self._cloud.iot()["connections"]}
            if self._thing in known:
                return
            time.sleep(0.2)
        raise UserError(f"{self._thing} did not connect again in {LINK_TIMEOUT_S:.0f} s", FAILED)

    def _set(self, status: str) -> None:
        self._cloud.client("iot").update_certificate(
            certificateId=self._certificate, newStatus=status
        )


def _broken_package() -> bytes:
    """A package whose file is not the one that its model.json names."""
    model = {
        "v": 1, "name": "lite0", "version": "1.2.0", "runtime": "mxnet", "task": "classification",
        "input": {"shape": [1, 3, 224, 224]},
        "files": [{"path": "model-symbol.json", "sha256": "0" * 64}],
    }  # fmt: skip
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (("model.json", json.dumps(model)), ("model-symbol.json", "{}")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()
