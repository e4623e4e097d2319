"""The demo for target v2: three components on a stand-in nucleus, deployed by the real CDK.

The same story as `fanfold.demo.run`; then a model that cannot run fails its deployment while the
old one serves, and an empty deployment uninstalls. The model is a simulated one: MXNet, which the
other demos run, has no wheels for the Pythons of a component.
"""

from __future__ import annotations

import json
import platform
import shutil
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from contract.digests import sha256_of
from devcloud import ACCOUNT, REGION, DevCloud
from devcloud import find as find_cloud
from devcloud.nucleus import Nucleus
from devcloud.nucleus.following import fetch_from, follow
from device.bundle.runtime_zip import pack as pack_runtime
from device.bundle.target import Target
from fanfold.common import output
from fanfold.common.errors import FAILED, MISSING, UserError
from fanfold.common.project import remember_site
from fanfold.demo.run import BUCKET, VOLUMES, Demo
from fanfold.localcore.volumes import clear, refuse_in_use
from models.package import pack as pack_model

SITE, THING, PYTHON = "demo-v2", "demo-v2-core", "3.11"
STARTED_S = 60.0


@dataclass
class V2Demo(Demo):
    """`facts` are what this target adds to the outcome."""

    site: str = SITE
    outcome_file: str = "demo-v2.json"
    facts: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """All steps; writes and returns the outcome. Raises UserError where one fails."""
        refuse_in_use(VOLUMES)
        with self._everything_stopped():
            clear(VOLUMES)
            self._prepare()
            self._write_site()
            first, second, bad = self._publish()
            self._deploy(first, "deploy")
            self._core()
            before = self._send("first model")
            pid = self._pid()
            self._deploy(second, "new model deployed")
            self._follow("the core exchanges the model")
            self._await_model("1.1.0")
            self.facts["core_restarts_at_swap"] = int(self._pid() != pid)
            after = self._send("second model")
            self._bad_model(bad)
            landed = self._show_cloud(before + after)
            self._uninstall()
            target = f"thing/{THING}"
            return self._judge([before, after], (target, target), landed)

    @cached_property
    def nucleus(self) -> Nucleus:
        """The device; its environment has the development cloud's keys, as a role would lend."""
        cloud = self._cloud()
        environment = {
            name: value for name, value in cloud.env().items() if name.startswith("AWS_")
        }
        return Nucleus(VOLUMES / "nucleus", THING, fetch_from(cloud.client), environment)

    @contextmanager
    def _everything_stopped(self) -> Iterator[None]:
        try:
            yield
        finally:
            if "nucleus" in self.__dict__:
                self.nucleus.stop()
            self._state_link.unlink(missing_ok=True)
            self._quiet(["devcloud", "stop"])
            clear(VOLUMES)

    def _prepare(self) -> None:
        if platform.python_version_tuple()[:2] != tuple(PYTHON.split(".")):
            raise UserError(f"the demo's device has Python {PYTHON}: run it with that", MISSING)
        self._step("A cloud on this machine, and the real `cdk bootstrap`")
        self._fanfold(["devcloud", "start", "--port", "0", "--bootstrap"], "cloud")
        self._step(f"{self.images} photographs, two cameras")
        photos = ["--out", str(self.work / "photos"), "--count", str(self.images)]
        shutil.rmtree(self.work / "photos", ignore_errors=True)
        self._device(["-m", "models.demo_images", *photos], "photographs")

    def _write_site(self) -> None:
        """As sites/demo.yaml, with this machine's own libraries as the Runtime."""
        libraries = sysconfig.get_paths()["purelib"]
        target = Target(platform.machine(), PYTHON, "onnxruntime")
        runtime = pack_runtime(target, None, self.work / "runtimes", (libraries,)).path
        components = {
            "runtimes": [str(runtime)],
            "nucleus": "java",  # a single thing
            "ports": {"ipc": 0, "mqtt": None, "mqtt_plain": 0, "http": 0},
        }
        site = {
            "name": SITE, "profile": "this-machine", "account": ACCOUNT, "region": REGION,
            "core": {"thing": THING}, "target": "v2", "components": components,
            "model": {"s3_uri": f"s3://{BUCKET}/models/simulated/simulated-1.0.0.tar.gz",
                "footprint": {"memory_kb": 100_000, "ms": {"transform": 8.0, "inference": 16.0}}},
            "cameras": [{"name": "cam1"}, {"name": "cam2"}],
            "volumes": {name: str(VOLUMES / name) for name in ("images", "state")},
            "workers": 2,
        }  # fmt: skip
        for name in ("images", "state"):  # as the person does who sets the device up
            (VOLUMES / name).mkdir(parents=True, exist_ok=True)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(site, indent=1), encoding="utf-8")  # JSON is YAML

    def _publish(self) -> list[str]:
        self._step("Two model packages to S3, and one that cannot run")
        (cloud := self._cloud()).client("s3").create_bucket(Bucket=BUCKET)
        uris = []
        for version, sound in (("1.0.0", True), ("1.1.0", True), ("1.2.0", False)):
            path = _package(self.work, version, sound=sound)
            key = f"models/simulated/{version}-{sha256_of(path)}.tar.gz"
            cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
            uris.append(f"s3://{BUCKET}/{key}")
        return uris

    def _deploy(self, uri: str, measure: str) -> str:
        self._step(f"cdk deploy {SITE} -c model={uri}: component versions and a deployment")
        said = self._fanfold(
            ["deploy", str(self._file), "--model", uri, "--wait-s", "0"], measure, show=False
        )
        for line in said.splitlines():
            if line.startswith(f"{SITE}."):
                output.out.print(f"  {line.strip()}", markup=False)
        return ""

    def _core(self) -> None:
        self._step("The nucleus finds its deployment, downloads and starts three components")
        self._follow("components started")
        model = self.nucleus.running[f"fanfold.{SITE}.Model"]
        deadline = time.monotonic() + STARTED_S
        while model.state == "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.1)
        if model.state != "FINISHED":
            raise UserError(f"the model did not prove itself; see {model.log}", FAILED)
        state = VOLUMES / "nucleus" / "work" / f"fanfold.{SITE}.Core" / "core"
        self._state_link.parent.mkdir(parents=True, exist_ok=True)
        self._state_link.unlink(missing_ok=True)
        self._state_link.symlink_to(state)
        remember_site(state, str(self._file))
        self.facts["component_versions"] = {
            name.rpartition(".")[2]: each.component.version
            for name, each in self.nucleus.running.items()
        }

    def _follow(self, measure: str) -> str:
        started = time.monotonic()
        said = follow(self._cloud().client, self.nucleus, THING)
        self.measured[measure] = time.monotonic() - started
        output.out.print(f"  {said[:300]}", markup=False)
        for name, state in self.nucleus.states().items():
            output.out.print(f"  {state:<9} {name}", markup=False)
        return said

    def _bad_model(self, uri: str) -> None:
        self._step("A model that cannot run: its deployment fails, the old one serves")
        self._deploy(uri, "bad model deployed")
        said = self._follow("bad model refused")
        self._await_model("1.1.0")
        effective = (
            self._cloud()
            .client("greengrassv2")
            .list_effective_deployments(coreDeviceThingName=THING)["effectiveDeployments"]
        )
        statuses = {each["coreDeviceExecutionStatus"] for each in effective}
        self.facts["rolled_back"] = said.startswith("FAILED") and statuses == {"FAILED"}
        self.facts["job_status"] = ", ".join(sorted(statuses))

    def _uninstall(self) -> None:
        self._step("An empty deployment uninstalls; the journals stay")
        self._cloud().client("greengrassv2").create_deployment(
            targetArn=f"arn:aws:iot:{REGION}:{ACCOUNT}:thing/{THING}", components={}
        )
        self._follow("uninstalled")
        left = list((VOLUMES / "nucleus" / "work" / f"fanfold.{SITE}.Core").glob("core/*"))
        self.facts["uninstalled"] = not self.nucleus.running and bool(left)

    def _further_facts(self) -> dict[str, Any]:
        return {**self.facts, "uplink": "https-sigv4", "model_runtime": "simulated"}

    def _further_complaints(self, outcome: dict[str, Any]) -> list[str]:
        wanted = {"rolled_back": True, "core_restarts_at_swap": 0, "uninstalled": True}
        return [
            f"{name}: {outcome.get(name)!r}, not {value!r}"
            for name, value in wanted.items()
            if outcome.get(name) != value
        ]

    def _pid(self) -> int:
        core = json.loads((self._state_link / "core.json").read_text(encoding="utf-8"))
        return int(core["pid"])

    def _store(self) -> Any:
        from fanfold.common.project import read_site
        from infra.planning import store_of

        found = store_of(read_site(str(self._file))[0])
        assert found is not None  # noqa: S101 - as sites/demo.yaml has it
        return found

    @property
    def _file(self) -> Path:
        return self.work / "sites" / f"{SITE}.yaml"

    @property
    def _state_link(self) -> Path:
        return self.state / "core" / SITE

    def _cloud(self) -> DevCloud:
        cloud = find_cloud(self.state / "devcloud")
        if cloud is None:
            raise UserError("the development cloud ended; see its server.log", FAILED)
        return cloud


def _package(folder: Path, version: str, *, sound: bool) -> Path:
    model = {
        "v": 1, "name": "simulated", "version": version, "task": "classification", "files": {},
        "runtime": "simulated", "simulated": {"wait_ms": 5 if sound else "soon", "gpus": 0},
        "input": {"name": "data", "shape": [1, 3, 8, 8], "resize": "stretch"},
    }  # fmt: skip
    path = folder / f"simulated-{version}.tar.gz"
    pack_model(folder, model, path)
    return path
