"""The interpreter for each runtime name, found by trying: a shim on PATH may exist and not run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

PROBE_TIMEOUT_S = 10.0
EXECUTABLE_RUNTIME = "arn:aws:greengrass:::runtime/function/executable"
"""V1's runtime of functions that are programs (developer guide, "Lambda executables")."""
_RUNTIME = re.compile(r"(python)(\d+)\.(\d+)\Z|(nodejs)(\d+)\.(?:x|(\d+))\Z")
_SAYS_ITS_VERSION = {
    "python": ["-c", "import sys; print('%d %d' % sys.version_info[:2])"],
    "nodejs": ["-e", "console.log(process.versions.node.replace(/\\./g, ' '))"],
}
_HOW_TO_GET = {
    "python": "install it (pyenv install {0}.{1}; python.org and conda have old ones too)",
    "nodejs": "install Node.js (nodejs.org, or the system's package nodejs)",
}
Version = tuple[int, int]
Probe = Callable[[str, str], "Version | None"]


class InterpreterError(LookupError):
    """No interpreter for a runtime; the text says which and how to give one."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``warning`` where it is not the version that the runtime names."""

    path: str
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime name taken apart: ``python3.8``, ``nodejs12.x``."""

    name: str
    family: str
    version: Version

    @property
    def usual_names(self) -> tuple[str, ...]:
        """On PATH: V1 looked for the runtime's own name; Node's program has another."""
        return (self.name, "node", "nodejs") if self.family == "nodejs" else (self.name,)

    def may_be(self, version: Version) -> bool:
        """Python's major versions are different languages; Node runs what older ones ran."""
        if self.family == "nodejs":
            return version[0] >= self.version[0]
        return version[0] == self.version[0]

    def distance(self, version: Version) -> int:
        return abs((version[0] - self.version[0]) * 100 + version[1] - self.version[1])


def parse(runtime: str) -> Runtime | None:
    """None: a runtime that this core does not run, such as ``java8``."""
    found = _RUNTIME.match(runtime)
    if found is None:
        return None
    family, major, minor = (found[1], found[2], found[3]) if found[1] else found.group(4, 5, 6)
    return Runtime(runtime, family, (int(major), int(minor or 0)))


def no_runtime(runtime: str) -> str:
    """Of one that ``parse`` does not know."""
    return (
        f"runtime {runtime!r}: this core runs pythonX.Y, nodejsX.x and {EXECUTABLE_RUNTIME}; port "
        "the function, or build it as an executable"
    )


def probe(path: str, family: str = "python") -> Version | None:
    """The version that ``path`` really runs; None where it runs none."""
    command = [path, *_SAYS_ITS_VERSION[family]]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_TIMEOUT_S, check=True)
        major, minor = map(int, done.stdout.split()[:2])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return major, minor


class Interpreters:
    """Configured ones first, then PATH, then the nearest configured one with a warning.

    Never one of another major version of Python.
    """

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
        wanted = parse(runtime)
        if wanted is None:
            raise InterpreterError(no_runtime(runtime))
        given = self._configured.get(runtime)
        if given is not None:
            return self._given(wanted, given)
        return self._on_path(wanted) or self._nearest(wanted)

    def _given(self, wanted: Runtime, path: str) -> Interpreter:
        argument = f"--python {wanted.name}={path}"
        version = self._probe(path, wanted.family)
        if version is None:
            raise InterpreterError(f"{argument}: cannot be run; pass a working interpreter")
        if not wanted.may_be(version):
            raise InterpreterError(
                f"{argument}: is version {_dotted(version)}, which cannot run the function's "
                "code; pass an interpreter of the major version that the runtime names"
            )
        return _interpreter(wanted, path, version)

    def _on_path(self, wanted: Runtime) -> Interpreter | None:
        for name in wanted.usual_names:
            path = shutil.which(name)
            version = self._probe(path, wanted.family) if path is not None else None
            if path is not None and version is not None and wanted.may_be(version):
                return _interpreter(wanted, path, version)
        return None

    def _nearest(self, wanted: Runtime) -> Interpreter:
        versions = {
            path: self._probe(path, wanted.family)
            for name, path in self._configured.items()
            if name.startswith(wanted.family)
        }
        usable = {p: v for p, v in versions.items() if v is not None and wanted.may_be(v)}
        if not usable:
            how = _HOW_TO_GET[wanted.family].format(*wanted.version)
            raise InterpreterError(
                f"runtime {wanted.name}: no interpreter for it here; {how}, "
                f"or pass --python {wanted.name}=PATH"
            )
        path = min(usable, key=lambda p: wanted.distance(usable[p]))
        return _interpreter(wanted, path, usable[path])


def _interpreter(wanted: Runtime, path: str, version: Version) -> Interpreter:
    # A nodejs12.x function is one of any 12.
    same = version == wanted.version or (
        wanted.family == "nodejs" and version[0] == wanted.version[0]
    )
    title = {"python": "Python", "nodejs": "Node.js"}[wanted.family]
    text = f"runtime {wanted.name} runs on {path}, which is {title} {_dotted(version)}"
    return Interpreter(path, None if same else text)


def _dotted(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
