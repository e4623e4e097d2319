"""A whole site on a real core, with a model that answers at once, and a sender that persists."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from chaos_oracle import Verdict, judge

from fanfold.mqtt import Console
from fanfold.running import RunningCore
from fanfold.sending import Sender
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
workers: 2
max_wait_s: 60
timeouts: {{worker_s: 3}}
cloud: {{batch_s: 0.2}}
"""
MODEL = {
    "v": 1, "name": "noop", "version": "1.0.0", "runtime": "noop", "task": "classification",
    "files": {}, "input": {"name": "data", "shape": [1, 3, 8, 8], "resize": "stretch"},
}  # fmt: skip


class Plant:
    """``start``, ``send``, ``verdict``; kill between or during as you like."""

    def __init__(self, folder: Path, image: bytes) -> None:
        self.folder, self.core_state = folder, folder / "core"
        self._image = image
        self._ports = {"mqtt_plain": 0, "ipc": 0, "http": 0}
        self.sent: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self._document()

    def _document(self) -> None:
        for name in ("images", "state"):
            (self.folder / name).mkdir()
        (self.folder / "chaos.yaml").write_text(SITE.format(folder=self.folder))
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

    def send(self, count: int, deadline_s: float = 90, kill_core_at: int | None = None) -> None:
        """Until each of ``count`` images is accepted; the core may die once on the way."""
        events = dict(self._events(count))
        sender = Sender(deque(events), resend_s=1.0)
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
                if kill_core_at is not None and sender.settled >= kill_core_at:
                    kill_core_at = None
                    self.kill_core()
                    self.start()
        assert not sender.rejected, sender.rejected

    def _events(self, count: int) -> list[tuple[str, tuple[str, bytes]]]:
        events = []
        for number in range(len(self.sent), len(self.sent) + count):
            stream = f"cam{number % 2 + 1}"
            name, image_id = f"{stream}/{number:06d}.jpg", f"i-{number:06d}"
            path = self.folder / "images" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self._image)
            self.sent[image_id] = name
            body = json.dumps({"v": 1, "id": image_id, "file": name}).encode()
            events.append((image_id, (f"chaos/images/{stream}", body)))
        return events

    def kill_core(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kills(self) -> int:
        """Functions that the fault plan has killed so far."""
        return (self.folder / "core.out").read_text().count("fault plan: kill ")

    def records(self) -> list[dict[str, Any]]:
        """Terminal records in the local cloud, in the order of their arrival."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.core_state / "cloud").glob("*.jsonl")):
            whole = path.read_bytes().rpartition(b"\n")[0]
            for line in whole.splitlines():
                message = json.loads(line)
                if message["topic"].endswith("/results"):
                    found += message["payload"]["results"]
        return found

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
