"""A real core of a small site: two workers, real photographs, a hook that finds boxes."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import yaml
from checkout import PHOTOS, PROJECT
from verbs import run_verb
from waiting import eventually

MODEL = {
    "v": 1, "name": "boxes", "version": "1.0.0", "runtime": "simulated", "task": "classification",
    "input": {"shape": [1, 3, 32, 32]},
}  # fmt: skip
BOX = [0.25, 0.2, 0.75, 0.8]
HOOKS = f'''
def postprocess(outputs):
    """What a detector says: one box, always at the same place."""
    return {{"boxes": [{{"label": "part", "index": 0, "score": 0.9, "box": {BOX}}}]}}
'''


@dataclass
class RealCore:
    """One working folder; the core in it may end and start again, on the same port."""

    folder: Path
    port: int = 0
    wait_ms: int = 4  # what the model takes for an image
    info: dict[str, Any] = field(default_factory=dict)
    box: str = "hall"
    said: str = ""  # what the last command wrote to its error output
    forks: bool = True  # see forked_core; False: its command line can be read

    def write(self, **more: Any) -> None:
        """``more``: fields of the site."""
        for name in ("sites", "photos"):
            (self.folder / name).mkdir()
        for name in ("device_profiles", ".venv-device"):
            (self.folder / name).symlink_to(PROJECT / name)
        site = yaml.safe_load((PROJECT / "sites/demo.yaml").read_text())
        site.update(name="hall", hooks="hall_hooks", cameras=[{"name": "left"}, {"name": "right"}])
        site["core"]["thing"] = "hall-core"
        site["volumes"] = {each: str(self.folder / each) for each in ("images", "state")}
        site["timeouts"] = {"worker_s": 5}
        site.update(more)
        (self.folder / "sites/hall.yaml").write_text(yaml.safe_dump(site))
        (self.folder / "sites/hall_hooks.py").write_text(HOOKS)
        (self.folder / "model.json").write_text(
            json.dumps({**MODEL, "simulated": {"wait_ms": self.wait_ms}})
        )
        with tarfile.open(self.folder / "model.tar.gz", "w:gz") as package:
            package.add(self.folder / "model.json", "model.json")
        for photo in PHOTOS.glob("*.jpg"):
            shutil.copy(photo, self.folder / "photos")

    def fanfold(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        """One command of the command line; what it printed."""
        environment = {
            **os.environ, "FANFOLD_STATE": str(self.folder / "s"), "PYTHONPATH": str(PROJECT),
            "NO_COLOR": "1",
        }  # fmt: skip
        done = run_verb(*arguments, cwd=self.folder, env=environment, timeout=150, forks=self.forks)
        self.said = done.stderr
        assert done.returncode in ok, done.stderr
        return done.stdout

    def start(self, *more: str, doctor: bool = False) -> None:
        """``doctor``: as without an option; its checks cost more than the core's whole start."""
        if not doctor:
            more = ("--no-doctor", *more)
        ports = ["--mqtt-plain-port=0", "--ipc-port=0", f"--http-port={self.port}"]
        self.fanfold("run", self.box, "--model", "model.tar.gz", "--detach", *ports, *more)
        self.info = json.loads((self.folder / "s/core" / self.box / "core.json").read_text())
        self.port = self.info["ports"]["http"]

    def stop(self) -> None:
        self.fanfold("stop", self.box)

    def send(self, camera: str = "left", job: str = "j") -> None:
        self.fanfold("send", "photos", "--site", "hall", "--camera", camera, "--job", job)

    @property
    def token(self) -> str:
        return str(self.info["token"])

    def ask(self, path: str, **headers: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def act(self, name: str, body: Any) -> tuple[int, bytes]:
        """What a click on the page asks for, with the core's token."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = {"X-Fanfold-Token": self.token}
            connection.request("POST", f"/api/actions/{name}", json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self) -> Any:
        return json.loads(self.ask("/api/status")[1])

    def worker(self, name: str) -> Any:
        return self.status()["stats"]["splitter"]["workers"][name]

    def function(self, name: str) -> Any:
        return next(f for f in self.status()["functions"] if f["id"] == name)

    eventually = staticmethod(eventually)
