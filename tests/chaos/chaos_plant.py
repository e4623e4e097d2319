"""A whole site on a real core, with a model that answers at once, and a sender that persists."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from chaos_oracle import Verdict, judge

from fanfold.mqtt import Console
from fanfold.running import RunningCore
from fanfold.sending import WINDOW, Sender
from fanfold.verbs.run import with_local_files
from infra.packaging import build_lambdas
from infra.planning import load_site, plan_group, render
from models.package import pack

ROOT = Path(__file__).parents[2]
DEVICE_PYTHON = ROOT / ".venv-device" / "bin" / "python"
SITE = """
name: chaos
profile: this-machine
account: "123456789012"
region: us-east-1
core: {{thing: chaos-core}}
model:
  s3_uri: s3://local/model.tar.gz
  footprint: {{memory_kb: 100000, ms: {{transform: 1.0, inference: 1.0}}}}
cameras: [{{name: cam1}}, {{name: cam2}}]
volumes: {{images: {folder}/images, state: {folder}/state}}
workers: {workers}
max_wait_s: 60
timeouts: {{worker_s: 3}}
cloud: {{batch_s: 0.2}}
"""
MODEL = {
    "v": 1, "name": "noop", "version": "1.0.0", "runtime": "noop", "task": "classification",
    "files": {}, "input": {"name": "data", "shape": [1, 3, 8, 8], "resize": "stretch"},
}  # fmt: skip


#: Takes the case's name and the plant, waits for the verdict, writes it down, asserts it.
Report = Callable[..., None]


class Plant:
    """``start``, ``send``, ``verdict``; kill between or during as you like."""

    def __init__(self, folder: Path, image: bytes) -> None:
        self.folder, self.core_state = folder, folder / "core"
        self._image = image
        self._ports = {"mqtt_plain": 0, "ipc": 0, "http": 0}
        self.sent: dict[str, str] = {}
        self.recovery_s: list[float] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.deploy(workers=2)

    def deploy(self, workers: int) -> None:
        """Writes the group that the next start applies."""
        for name in ("images", "state"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "chaos.yaml").write_text(SITE.format(folder=self.folder, workers=workers))
        site, profile = load_site(self.folder / "chaos.yaml", ROOT / "device_profiles")
        model = self.folder / "model.tar.gz"
        pack(self.folder, MODEL, model)
        code = build_lambdas(self.folder / "lambdas.zip")
        document = with_local_files(render(plan_group(site, profile)), code, model)
        (self.folder / "group-document.json").write_text(json.dumps(document))

    def start(self, faults: dict[str, Any] | None = None, deadline_s: float = 60) -> float:
        """Seconds until /ready. A restart takes the same ports again."""
        command = [sys.executable, "-m", "edgecore", "--state", str(self.core_state)]
        command += ["--group", str(self.folder / "group-document.json"), "--mqtt-port", "off"]
        command += ["--python", f"python3.8={DEVICE_PYTHON}", "--poll-s", "0"]
        for name, port in self._ports.items():
            command += [f"--{name.replace('_', '-')}-port", str(port)]
        if faults is not None:
            (self.folder / "faults.json").write_text(json.dumps(faults))
            command += ["--faults", str(self.folder / "faults.json")]
        began = time.monotonic()
        (self.core_state / "core.json").unlink(missing_ok=True)
        with (self.folder / "core.out").open("ab") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
        while time.monotonic() - began < deadline_s:
            if self.process.poll() is not None:
                break
            if (core := self._core()) is not None and core.ready():
                self._ports = {name: core.port(name) or 0 for name in self._ports}
                return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError((self.folder / "core.out").read_text()[-4000:])

    def _core(self) -> RunningCore | None:
        try:
            return RunningCore(
                self.core_state, json.loads((self.core_state / "core.json").read_text())
            )
        except FileNotFoundError:
            return None

    def send(
        self,
        count: int,
        deadline_s: float = 90,
        halfway: Callable[[], None] | None = None,
        window: int = WINDOW,
    ) -> None:
        """Until each of ``count`` images is accepted; ``halfway`` may end and start the core."""
        self._send(dict(self._events(count)), deadline_s, halfway, window)

    def send_manifest(self, count: int, deadline_s: float = 90) -> None:
        """``count`` images of one camera, named by one event."""
        names = [f"cam1/m{number:06d}.jpg" for number in range(count)]
        for name in names:
            self._write(name)
        self.sent |= {f"manifest/{index}": name for index, name in enumerate(names)}
        body = json.dumps({"v": 1, "id": "manifest", "files": names}).encode()
        self._send({"manifest": ("chaos/images/cam1", body)}, deadline_s, None, 1)

    def _send(
        self,
        events: dict[str, tuple[str, bytes]],
        deadline_s: float,
        halfway: Callable[[], None] | None,
        window: int,
    ) -> None:
        count = len(events)
        sender = Sender(deque(events), window=window, resend_s=1.0)
        core, end = self._core(), time.monotonic() + deadline_s
        assert core is not None
        with Console(core, ["chaos/images/+/accepted", "chaos/images/+/rejected"]) as console:
            while not sender.done:
                assert time.monotonic() < end, f"{sender.settled} of {count} settled"
                for event_id in sender.due(time.monotonic()):
                    console.publish(*events[event_id])
                message = console.receive(0.05)
                if message is not None and message.topic.endswith("/accepted"):
                    sender.on_accepted(message.json())
                elif message is not None:
                    sender.on_rejected(message.json(), time.monotonic())
                if halfway is not None and sender.settled >= count // 2:
                    strike, halfway = halfway, None
                    strike()
        assert not sender.rejected, sender.rejected

    def _events(self, count: int) -> list[tuple[str, tuple[str, bytes]]]:
        events = []
        for number in range(len(self.sent), len(self.sent) + count):
            stream = f"cam{number % 2 + 1}"
            name, image_id = f"{stream}/{number:06d}.jpg", f"i-{number:06d}"
            self._write(name)
            self.sent[image_id] = name
            body = json.dumps({"v": 1, "id": image_id, "file": name}).encode()
            events.append((image_id, (f"chaos/images/{stream}", body)))
        return events

    def _write(self, name: str) -> None:
        path = self.folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._image)

    def drop(self, count: int) -> None:
        """Renames files into the drop folder; no event names them. ``sent`` maps file → file."""
        for number in range(len(self.sent), len(self.sent) + count):
            name = f"drop/cam{number % 2 + 1}/{number:06d}.jpg"
            self._write(name + ".part")
            path = self.folder / "images" / name
            path.with_name(path.name + ".part").rename(path)
            self.sent[name] = name

    def kill_core(self, *, everything: bool = False) -> None:
        """SIGKILL to the core, or to it and all its processes; none may be left behind."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        os.kill(self.process.pid, signal.SIGKILL)
        for process in family if everything else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        _, alive = psutil.wait_procs(family, timeout=10)
        orphans = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        assert not orphans, orphans

    def functions(self) -> dict[str, dict[str, Any]]:
        """``functions`` of /api/status by id."""
        core = self._core()
        assert core is not None
        return {f["id"]: f for f in core.get("/api/status")["functions"]}

    def restarts(self) -> int:
        return sum(function["restarts"] for function in self.functions().values())

    def strikes(self, kind: str = "kill") -> int:
        """Functions that the fault plan has killed (``freeze``: stopped) so far."""
        return (self.folder / "core.out").read_text().count(f"fault plan: {kind} ")

    def records(self) -> list[dict[str, Any]]:
        """Terminal records in the local cloud, in the order of their arrival."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.core_state / "cloud").glob("*.jsonl")):
            whole = path.read_bytes().rpartition(b"\n")[0]
            for line in whole.splitlines():
                message = json.loads(line)
                if message["topic"].endswith("/results"):
                    found += map(self._named, message["payload"]["results"])
        return found

    def _named(self, record: dict[str, Any]) -> dict[str, Any]:
        """Files of the drop folder have no id of ours: they go by their name."""
        by_name = str(record.get("file", "")).startswith("drop/")
        return {**record, "id": record["file"]} if by_name else record

    def verdict(self, deadline_s: float = 90) -> Verdict:
        """Once nothing is missing, or the time is up."""
        end = time.monotonic() + deadline_s
        while (found := judge(self.sent, self.records())).missing and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
