"""The interpreter for each runtime name, found by trying: a shim on PATH may exist and not run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

PROBE_TIMEOUT_S = 10.0
_RUNTIME = re.compile(r"python(\d+)\.(\d+)\Z")
Probe = Callable[[str], "tuple[int, int] | None"]


class InterpreterError(LookupError):
    """No interpreter for a runtime; the text says which and how to give one."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``warning`` where it is not the version that the runtime names."""

    path: str
    warning: str | None = None


def probe(path: str) -> tuple[int, int] | None:
    """The Python version that ``path`` really runs; None where it runs none."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        done = subprocess.run(
            [path, "-c", code], capture_output=True, timeout=PROBE_TIMEOUT_S, check=True
        )
        major, minor = map(int, done.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return major, minor


class Interpreters:
    """Configured ones first, then PATH, then the nearest configured one with a warning."""

    def __init__(self, configured: Mapping[str, str], probe: Probe = probe) -> None:
        self._configured = dict(configured)
        self._probe = probe
        self._found: dict[str, Interpreter] = {}

    def find(self, runtime: str) -> Interpreter:
        """Raises InterpreterError."""
        if runtime not in self._found:
            self._found[runtime] = self._search(runtime)
        return self._found[runtime]

    def _search(self, runtime: str) -> Interpreter:
        wanted = _RUNTIME.match(runtime)
        if wanted is None:
            raise InterpreterError(f"runtime {runtime!r}: this core runs python3.x functions only")
        given = self._configured.get(runtime)
        if given is not None:
            return self._given(runtime, given, (int(wanted[1]), int(wanted[2])))
        on_path = shutil.which(runtime)
        if on_path is not None and self._probe(on_path) is not None:
            return Interpreter(on_path)
        return self._nearest(runtime, int(wanted[2]))

    def _given(self, runtime: str, path: str, wanted: tuple[int, int]) -> Interpreter:
        version = self._probe(path)
        if version is None:
            raise InterpreterError(
                f"--python {runtime}={path}: cannot be run; pass a working interpreter"
            )
        warning = None if version == wanted else _mismatch(runtime, path, version)
        return Interpreter(path, warning)

    def _nearest(self, runtime: str, minor: int) -> Interpreter:
        versions = {path: self._probe(path) for path in self._configured.values()}
        running = {path: version for path, version in versions.items() if version is not None}
        if not running:
            raise InterpreterError(
                f"runtime {runtime}: no working interpreter on PATH; "
                f"install it or pass --python {runtime}=PATH"
            )
        path = min(running, key=lambda p: abs(running[p][1] - minor))
        return Interpreter(path, _mismatch(runtime, path, running[path]))


def _mismatch(runtime: str, path: str, version: tuple[int, int]) -> str:
    return f"runtime {runtime} runs on {path}, which is Python {version[0]}.{version[1]}"
