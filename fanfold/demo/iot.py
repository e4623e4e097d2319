"""The demo for target iot: a core that holds a certificate, and deployments by AWS IoT jobs.

The same story as `fanfold.demo.run`, and beside it: a model that cannot run is rolled back by
the device, and the link is cut while images come.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devcloud import DevCloud
from devcloud import find as find_cloud
from edgecore.supervisor.identity import AUTO, ROOT
from fanfold.cloud.access import Access
from fanfold.cloud.jobs import SiteJob, read_jobs
from fanfold.common import output
from fanfold.common.errors import FAILED, UserError
from fanfold.common.project import read_site, site_file
from fanfold.demo.evidence import search
from fanfold.demo.outcome import Record
from fanfold.demo.run import BUCKET, VOLUMES, Demo, landed_in
from fanfold.device.interpreters import device_python
from fanfold.localcore.volumes import clear, refuse_in_use, volume_owner
from infra.targets.iot.names import IotNames

SITE = "demo-iot"
BAD_KEY = "models/lite0/1.1.0-damaged.tar.gz"
LINK_TIMEOUT_S = 60.0
SPOOL_TIMEOUT_S = 10.0


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
            clear(self.state / "core" / self.site)  # a device that never ran anything
            self._prepare()
            first, second = self._publish()
            self._deploy(first, "deploy")
            self._provision()
            self._core()
            self._await_model("1.0.0")
            group = self._status()["group"]["id"]
            runs = [self._send("first model"), self._swap(second)]
            self._bad_model()
            with self._link_cut() as cut:
                runs.append(self._send("link cut"))
                self._nothing_passed(runs[-1], cut)
            landed = self._show_cloud([record for run in runs for record in run])
            self._look_at_the_device()
            return self._judge(runs, (group, self._status()["group"]["id"]), landed)

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
        # A core that is root refuses to run functions as root beside its key, unless told so.
        pythons = filter(None, [device_python()])
        switches = bool(os.geteuid() or volume_owner(AUTO, pythons, insecure=False))
        own = [] if switches else ["--function-user", ROOT]
        self._fanfold(["run", self.site, "--detach", *ports, *own], "core ready")

    def _swap(self, uri: str) -> list[Record]:
        """The second model by a job; how long its first result took, from both beginnings."""
        began = time.time()
        with ThreadPoolExecutor(1) as deploying:  # the command waits for more than the device
            deployed = deploying.submit(self._deploy, uri, "new model deployed")
            records = self._send("second model", lambda: self._await_model("1.1.0"))
            deployed.result()
        issued = self._jobs()[0].document["issued_at"]
        self.facts["deploy_to_first_result_s"] = round(self.first_result_at - began, 1)
        self.facts["job_to_first_result_s"] = round(self.first_result_at - issued, 1)
        return records

    def _bad_model(self) -> None:
        self._step("A model with one byte changed: the device refuses it and goes back")
        package = damaged((self.work / "lite0-1.1.0.tar.gz").read_bytes())
        self._cloud().client("s3").put_object(Bucket=BUCKET, Key=BAD_KEY, Body=package)
        arguments = ["deploy", self.site, "--model", f"s3://{BUCKET}/{BAD_KEY}", "--wait-s", "240"]
        started = time.monotonic()
        done = subprocess.run(
            self._command(arguments), env=self._environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        self.measured["bad model rolled back"] = time.monotonic() - started
        self._await_model("1.1.0")
        bad = [job for job in self._jobs() if job.outcome == "Failure"]
        self.facts["job_status"] = bad[0].devices[0].status if bad and bad[0].devices else "?"
        self.facts["job_reason"] = bad[0].error if bad else ""
        went_back = [
            entry["deployment"]
            for entry in self._status()["group"]["history"]
            if entry["outcome"] == "rolled back" and bad and bad[0].id in entry["deployment"]
        ]
        self.facts["rolled_back"] = done.returncode != 0 and bool(went_back)
        output.out.print(f"  {self.facts['job_reason'][:300]}", markup=False)

    def _link_cut(self) -> _LinkCut:
        return _LinkCut(self._cloud(), read_site(self.site)[0].core.thing, self._step)

    def _nothing_passed(self, records: list[Record], cut: _LinkCut) -> None:
        """While the link is cut: the cloud knows no connection, and has none of these records."""
        deadline = time.monotonic() + SPOOL_TIMEOUT_S
        while not (spooled := self._status()["cloud"]["spooled"]) and time.monotonic() < deadline:
            time.sleep(0.2)
        sent = {(r["stream"], r["seq"]) for r in records}
        landed = landed_in(self._cloud().client("s3"), self._store())
        self.facts["while_cut"] = {
            "connected": cut.connected(), "in_cloud": len(sent & landed), "spooled": spooled,
        }  # fmt: skip

    def _look_at_the_device(self) -> None:
        """What the core itself holds, by its processes, its files and its own status."""
        site, cloud = read_site(self.site)[0], self._cloud()
        state = self.state / "core" / self.site
        core = json.loads((state / "core.json").read_text(encoding="utf-8"))
        keys = self.state / "certificates" / self.site
        folders = (state, keys, Path(site.volumes.state), Path(site.volumes.images))
        searched = search(core["pid"], folders, (cloud.key.id, cloud.key.secret))
        self.facts["aws_keys_on_device"] = bool(searched.found)
        self.facts["aws_keys_found"] = list(searched.found)
        self.facts["aws_keys_looked_at"] = dict(searched.looked_at)
        told = self._status()["cloud"]
        self.facts["uplink"] = _uplink(told["sink"], site.core.thing, cloud.iot()["connections"])
        lent = told.get("credentials") or {}
        self.facts["credentials"] = lent["source"] if lent.get("expires_at") else "none"

    def _status(self) -> dict[str, Any]:
        # 1: degraded, as it is while the link is away.
        said = self._fanfold(["status", self.site, "--json"], None, show=False, worst=1)
        found: dict[str, Any] = json.loads(said)
        return found

    def _further_facts(self) -> dict[str, Any]:
        return dict(self.facts)

    def _further_complaints(self, outcome: dict[str, Any]) -> list[str]:
        wanted = {
            "rolled_back": True, "credentials": "role-alias", "uplink": "mqtt-mtls",
            "aws_keys_on_device": False, "job_status": "FAILED",
        }  # fmt: skip
        wrong = [
            f"{name}: {outcome.get(name)!r}, not {value!r}"
            for name, value in wanted.items()
            if outcome.get(name) != value
        ]
        cut = outcome["while_cut"]
        if cut["connected"] or cut["in_cloud"] or not cut["spooled"]:
            wrong.append(f"the link was not cut: {cut}")
        return wrong

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

    def __init__(self, cloud: DevCloud, thing: str, step: Any) -> None:
        self._cloud, self._thing, self._step = cloud, thing, step
        (arn,) = cloud.client("iot").list_thing_principals(thingName=thing)["principals"]
        self._certificate = arn.rpartition("/")[2]

    def __enter__(self) -> _LinkCut:
        self._step("The link is cut")
        self._set("INACTIVE")
        self._until(connected=False)
        return self

    def __exit__(self, *exc: object) -> None:
        self._set("ACTIVE")
        self._step("The link is restored")
        self._until(connected=True)

    def connected(self) -> bool:
        return _connection(self._thing, self._cloud.iot()["connections"]) is not None

    def _until(self, *, connected: bool) -> None:
        deadline = time.monotonic() + LINK_TIMEOUT_S
        while self.connected() is not connected:
            if time.monotonic() > deadline:
                want = "connect again" if connected else "lose its connection"
                raise UserError(f"{self._thing} did not {want} in {LINK_TIMEOUT_S:.0f} s", FAILED)
            time.sleep(0.2)

    def _set(self, status: str) -> None:
        self._cloud.client("iot").update_certificate(
            certificateId=self._certificate, newStatus=status
        )


def _connection(thing: str, connections: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((each for each in connections if each["client_id"] == thing), None)


def _uplink(sink: str, thing: str, connections: list[dict[str, Any]]) -> str:
    """`mqtt-mtls` where the cloud has this thing's MQTT connection with its certificate."""
    held = _connection(thing, connections)
    return "mqtt-mtls" if sink == "iot-mqtt" and held and held["certificate"] else sink


def damaged(package: bytes) -> bytes:
    """The package with one byte of its parameters changed: no longer what model.json names."""
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(package)) as whole,
        tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as damaged,
    ):
        for entry in whole:
            source = whole.extractfile(entry)
            content = bytearray(source.read() if source else b"")
            if entry.name.endswith(".params"):
                content[len(content) // 2] ^= 0xFF
            damaged.addfile(entry, io.BytesIO(content))
    return made.getvalue()
