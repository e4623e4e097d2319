"""A headless Chromium, driven over a pipe; tests that need one are skipped, and say so."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from checkout import PROJECT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NODE = shutil.which("node")
PLAYWRIGHT = PROJECT / "node_modules" / "playwright-core"

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and NODE and PLAYWRIGHT.is_dir()),
    reason="needs chromium, node and node_modules/playwright-core: the page was not tested",
)


class Browser:
    def __init__(self, profile: Path) -> None:
        driver = Path(__file__).with_name("browser_driver.mjs")
        self._process = subprocess.Popen(
            [str(NODE), str(driver), str(PROJECT / "node_modules"), str(CHROMIUM), str(profile)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, command: str, **given: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def open(self, port: int, *, token: str = "", **given: Any) -> None:
        """The page, until its first worker is there."""
        fragment = f"#token={token}" if token else ""
        self("open", url=f"http://127.0.0.1:{port}/{fragment}", **given)
        self.wait("document.querySelector('.worker')")

    def wait(self, script: str, timeout_ms: int = 60_000) -> Any:
        return self("wait", script=f"Boolean({script})", timeout_ms=timeout_ms)

    def text(self, selector: str) -> str:
        return self("evaluate", script=f"document.querySelector({json.dumps(selector)}).innerText")

    def count(self, selector: str) -> int:
        return self("evaluate", script=f"document.querySelectorAll({json.dumps(selector)}).length")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
