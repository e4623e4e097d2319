"""A rendered site on a stand-in nucleus, with cameras that send and results that are read back."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import platform
import random
import shutil
import sysconfig
import tempfile
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from beside import Beside
from checkout import PHOTOS, PROJECT
from waiting import eventually

from contract.digests import sha256_of
from devcloud.nucleus import Nucleus
from device.bundle.runtime_zip import pack as pack_runtime
from device.bundle.target import Target
from fanfold.common.errors import UserError
from fanfold.sending.mqtt import Console
from fanfold.sending.sender import Sender
from infra.packaging import build_core, build_lambdas, build_offer
from infra.planning import load_site, plan_group, render
from infra.targets.v2.group import core_document
from infra.targets.v2.names import V2Names
from infra.targets.v2.recipes import (
    Archive,
    RuntimeArchive,
    render_core,
    render_model,
    render_runtime,
)
from models.package import pack

Due = deque[tuple[float, str]]
"""When (monotonic seconds) which event is to be sent."""
THING = "t-core"
PYTHON = "3.11"


@functools.cache
def _core_of(build: Callable[[Path, Path, Path], Path], group: bytes) -> bytes:
    """The Core component's archive: the same code and group for most of a story's deployments."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "group.json").write_bytes(group)
        lambdas = build_lambdas(folder / "lambdas.zip")
        return build(folder / "core.zip", folder / "group.json", lambdas).read_bytes()


class V2Device:
    """`recipes()` of a model; `nucleus` runs them; `core` is the embedded core's own status."""

    def __init__(self, folder: Path, **site: Any) -> None:
        self.folder = folder
        self.files: dict[str, Path] = {}
        self.site = self._site(site)
        self.nucleus = Nucleus(folder / "gg", THING, self._fetch)
        self.work = folder / "gg" / "work" / f"fanfold.{self.site}.Core"
        self.sent: list[str] = []

    def recipes(self, model: Path | None, **changes: Any) -> list[dict[str, Any]]:
        """What a synthesis renders, with archives by file instead of by asset."""
        if changes:
            self._site(changes)
        path = self.folder / "sites" / "t.yaml"
        settings, profile = load_site(path, PROJECT / "device_profiles")
        document = render(plan_group(settings, profile))
        names = V2Names.of(document)
        runtimes = [RuntimeArchive(self._archive(self._runtime()), "x86_64", PYTHON)]
        offer = self._archive(build_offer(self.folder / "offer.zip"))
        core_zip = self.folder / "core.zip"
        core_zip.write_bytes(_core_of(build_core, core_document(document)))
        core = self._archive(core_zip)
        rendered = [
            render_runtime(names, runtimes, offer),
            render_core(names, runtimes, core, document["Target"]["Components"]),
        ]
        if model is not None:
            uri = f"s3://models/{model.name}"
            self.files[uri] = model
            rendered.append(render_model(names, runtimes, Archive(uri, uri), offer))
        return [each.recipe for each in rendered]

    def model(
        self, version: str, *, sound: bool = True, wait_ms: int = 5, ballast_mib: int = 0
    ) -> Path:
        """Named as `fanfold model publish` does. `ballast_mib` do not compress."""
        (self.folder / "ballast").write_bytes(random.Random(1).randbytes(ballast_mib << 20))
        simulated = {"wait_ms": wait_ms if sound else "soon", "gpus": 0}
        described = {
            "v": 1, "name": "echo", "version": version, "task": "classification",
            "files": {"ballast": ""},
            "runtime": "simulated", "simulated": simulated,
            "input": {"name": "data", "shape": [1, 3, 8, 8], "resize": "stretch"},
        }  # fmt: skip
        path = self.folder / f"echo-{version}.tar.gz"
        pack(self.folder, described, path)
        return path.rename(path.with_name(f"echo-{version}-{sha256_of(path)}.tar.gz"))

    def facts(self) -> dict[str, Any]:
        return json.loads((self.work / "core" / "core.json").read_text())

    def until_ready(self, deadline_s: float = 60) -> None:
        eventually(self._is_ready, f"core ready: {self.log('Core')}", deadline_s)

    def log(self, component: str) -> str:
        """Its end."""
        return self.whole_log(component)[-3000:]

    def whole_log(self, component: str) -> str:
        path = self.folder / "gg" / "logs" / f"fanfold.{self.site}.{component}.log"
        return path.read_text() if path.exists() else ""

    def records(self) -> list[dict[str, Any]]:
        """What reached the core's cloud folder, in order; a line in the writing has not yet."""
        files = sorted((self.work / "core" / "cloud").glob("*.jsonl"))
        lines = [line for file in files for line in file.read_text().splitlines(keepends=True)]
        batches = [json.loads(line) for line in lines if line.endswith("\n")]
        return [
            record
            for batch in batches
            if batch["topic"].endswith("/results")
            for record in _payload(batch)["results"]
        ]

    def tally(self) -> dict[str, int]:
        """Lost (or failed), twice, holes; by (stream, seq): a resend is the same record."""
        keys: dict[tuple[str, int], str] = {}
        for record in self.records():
            if record["status"] != "gap":
                keys.setdefault((record["stream"], record["seq"]), record["id"])
        counts = Counter(keys.values())
        numbers = sorted(seq for _, seq in keys)
        failed = {r["id"] for r in self.records() if r["status"] == "failed"}
        return {
            "lost": len(set(self.sent) - set(counts)) + len(failed),
            "twice": sum(n - 1 for n in counts.values()),
            "holes": len(set(range(numbers[0], numbers[-1] + 1)) - set(numbers)) if numbers else 0,
        }

    def largest_gap_s(self, version: str, beside: int = 100) -> float:
        """Between two results, among so many before and after the first one of this model."""
        done = sorted(
            (r["t_in"] + sum(r["ms"].values()) / 1000, r["model"]["version"])
            for r in self.records()
            if r["status"] == "ok"
        )
        first = next(place for place, (_, model) in enumerate(done) if model == version)
        near = [moment for moment, _ in done[max(first - beside, 0) : first + beside]]
        return max(after - before for before, after in itertools.pairwise(near))

    def send(self, count: int, rate: float = 0.0, deadline_s: float = 90) -> None:
        """Until each is accepted, `rate` a second (0: as fast as they are taken), by whichever core
        runs."""
        events = self._events(count)
        begins = time.monotonic()
        due = deque((begins + (place / rate if rate else 0.0), e) for place, e in enumerate(events))
        sender = Sender(deque())
        while due or not sender.done:
            late = time.monotonic() > begins + deadline_s
            assert not late, f"{len(due)} not sent, {len(sender.in_flight)} in flight"
            with contextlib.suppress(UserError, OSError, ValueError, KeyError):  # no core just now
                self._send_to_this_core(events, due, sender, begins + deadline_s)
        assert not sender.rejected, sender.rejected

    def _send_to_this_core(
        self, events: Mapping[str, bytes], due: Due, sender: Sender, end: float
    ) -> None:
        """Until all are accepted, or another core runs."""
        pid = self.facts()["pid"]
        answers = [f"{self.site}/images/+/accepted", f"{self.site}/images/+/rejected"]
        core = SimpleNamespace(info={"thing": THING}, port=lambda name: self.facts()["ports"][name])
        with Console(core, answers) as console:  # type: ignore[arg-type]
            while (due or not sender.done) and self.facts()["pid"] == pid:
                now = time.monotonic()
                if now > end:
                    return
                while due and due[0][0] <= now:
                    sender.waiting.append(due.popleft()[1])
                for event_id in sender.due(now):
                    console.publish(f"{self.site}/images/cam1", events[event_id])
                message = console.receive(0.02)
                if message is not None and "accepted" in message.topic:
                    sender.on_accepted(message.json())
                elif message is not None:
                    sender.on_rejected(message.json(), now)

    def _events(self, count: int) -> dict[str, bytes]:
        events = {}
        photo = sorted(PHOTOS.glob("*.jpg"))[0]
        for number in range(len(self.sent), len(self.sent) + count):
            name = f"cam1/{number:06d}.jpg"
            target = self.folder / "images" / name
            target.parent.mkdir(exist_ok=True)
            shutil.copy(photo, target)
            events[f"i-{number}"] = json.dumps({"v": 1, "id": f"i-{number}", "file": name}).encode()
        self.sent += events
        return events

    def processes(self) -> dict[str, int]:
        """Pid of each function."""
        with self._ask("/api/status") as answer:
            return {each["id"]: each["pid"] for each in json.load(answer)["functions"]}

    def _is_ready(self) -> bool:
        try:
            with self._ask("/ready") as answer:
                return answer.status == 200
        except (OSError, ValueError):
            return False

    def _ask(self, path: str) -> Any:
        port = self.facts()["ports"]["http"]
        return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5)

    def _site(self, changes: Mapping[str, Any]) -> str:
        for name in ("images", "state", "sites"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        site = {
            "name": "t", "profile": "this-machine", "account": "123456789012",
            "region": "us-east-1", "core": {"thing": THING}, "target": "v2",
            "components": {
                "runtimes": [self._runtime().name],
                "uplink": "local",
                "ports": {"ipc": 0, "mqtt": None, "mqtt_plain": 0, "http": 0},
            },
            "model": {
                "s3_uri": "s3://models/echo.tar.gz",
                "footprint": {"memory_kb": 100_000, "ms": {"transform": 1.0, "inference": 1.0}},
            },
            "cameras": [{"name": "cam1"}], "workers": 2, "cloud": {"batch_s": 0.2},
            "volumes": {n: str(self.folder / n) for n in ("images", "state")},
            **changes,
        }  # fmt: skip
        (self.folder / "sites" / "t.yaml").write_text(yaml.safe_dump(site))
        return "t"

    def _runtime(self) -> Path:
        """The libraries of this interpreter, as a device's own: nothing is packed."""
        libraries = sysconfig.get_paths()["purelib"]
        target = Target(platform.machine(), PYTHON, "onnxruntime")
        return pack_runtime(target, None, self.folder / "runtimes", (libraries,)).path

    def _archive(self, path: Path) -> Archive:
        """Named by its content, as the CDK does."""
        import hashlib

        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:40]
        uri = f"s3://assets/{digest}.zip"
        kept = self.folder / "assets" / f"{digest}.zip"
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(path, kept)
        self.files[uri] = kept
        return Archive(uri, f"{digest}.zip")

    def _fetch(self, uri: str) -> bytes:
        return self.files[uri].read_bytes()


def _payload(entry: Mapping[str, Any]) -> Any:
    payload = entry["payload"]
    return json.loads(payload) if isinstance(payload, str) else payload


class Flow(Beside):
    """Images all the time; leaving it waits for their acceptance."""

    def __init__(self, device: V2Device, rate: float) -> None:
        def flow(over: Callable[[], bool]) -> None:
            while not over():
                device.send(20, rate)

        super().__init__(flow)
