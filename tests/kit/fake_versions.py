"""Versions of a core that are twenty lines long, for a launcher that is real."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from checkout import PROJECT
from waiting import eventually

CORE = """
import json, os, pathlib, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
state = pathlib.Path(sys.argv[sys.argv.index("--state") + 1])
with (state / "starts").open("a") as starts:
    starts.write(os.environ["FANFOLD_VERSION"] + "\\n")
{first}
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({answer})
        self.end_headers()
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Page)
facts = {{"pid": os.getpid(), "ports": {{"http": server.server_port}}}}
(state / "core.json.new").write_text(json.dumps(facts))
(state / "core.json.new").replace(state / "core.json")
server.serve_forever()
"""
KINDS = {
    "good": CORE.format(first="", answer=200),
    "never ready": CORE.format(first="", answer=503),
    "crashes": CORE.format(first="sys.exit(7)", answer=200),
}


class Device:
    """One installation without an installer: folders, a configuration, a launcher."""

    def __init__(self, folder: Path, ready_s: float) -> None:
        self.launcher, self.versions, self.state = (
            folder / name for name in ("launcher", "versions", "core")
        )
        for path in (self.launcher, self.versions, self.state):
            path.mkdir()
        self.config = folder / "hall.json"
        self.config.write_text(json.dumps({
            "v": 1, "launcher": str(self.launcher), "versions": str(self.versions),
            "state": str(self.state), "ready_s": ready_s,
            "arguments": ["--state", str(self.state), "--python", "python3.8={python}"],
        }))  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def install(self, name: str, kind: str) -> None:
        binaries = self.versions / name / "bin"
        package = self.versions / name / "lib" / "edgecore"
        package.mkdir(parents=True)
        binaries.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(KINDS[kind])
        python = binaries / "python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
        python.chmod(0o755)

    def remember(self, **facts: Any) -> None:
        text = json.dumps({"v": 1, "proved": None, "trial": None, "starts": 0, **facts})
        (self.launcher / "versions.json").write_text(text)

    def start(self) -> None:
        script = PROJECT / "device/files/run_launcher.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), "--config", str(self.config)],
            env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"},
        )

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    @property
    def known(self) -> Any:
        return json.loads((self.launcher / "versions.json").read_text())

    @property
    def result(self) -> Any:
        path = self.launcher / "result.json"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def starts(self) -> list[str]:
        path = self.state / "starts"
        return path.read_text().split() if path.exists() else []

    @property
    def pid(self) -> int:
        return int(json.loads((self.state / "core.json").read_text())["pid"])

    def until_proved(self, version: str) -> None:
        eventually(lambda: self.known == {"v": 1, "proved": version, "trial": None, "starts": 0},
                   f"{version} proves itself")  # fmt: skip
