"""The wheels of a bundle: the pinned versions, for the device's platform, by their hashes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from contract.digests import sha256_of
from device.bundle.target import Target

_LAST_WORDS = 800


class WheelsError(Exception):
    """A wheel cannot be had for the device; which, and the remedy."""


def requirements(constraints: str, target: Target) -> str:
    """The lines of a file of constraints that the device needs, without markers.

    pip judges markers by the machine that it runs on, not by the one that it downloads for.
    """
    return "".join(
        f"{wanted.name}{wanted.specifier} {' '.join(hashes)}\n"
        for wanted, hashes in _pinned(constraints)
        if wanted.marker is None or wanted.marker.evaluate(target.markers)
    )


def _pinned(text: str) -> Iterator[tuple[Requirement, list[str]]]:
    for line in text.replace("\\\n", " ").splitlines():
        words = line.partition("#")[0].strip()
        if words:
            yield (
                Requirement(words.partition("--hash=")[0].strip()),
                re.findall(r"--hash=\S+", words),
            )


def download(requirements_txt: Path, target: Target, into: Path) -> None:
    """Every wheel of the file, hash for hash; of those in the folder already nothing is asked.

    The folder is this target's alone. Raises WheelsError.
    """
    into.mkdir(parents=True, exist_ok=True)
    lines = requirements_txt.read_text(encoding="utf-8").splitlines(keepends=True)
    missing = _without(lines, {sha256_of(wheel) for wheel in into.glob("*.whl")})
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / requirements_txt.name
        wanted.write_text("".join(missing), encoding="utf-8")
        _fetch(wanted, target, into)


def _without(lines: list[str], there: set[str]) -> list[str]:
    """Of lines with hashes, those that no file with one of these digests answers."""
    return [line for line in lines if there.isdisjoint(re.findall(r"--hash=sha256:(\w+)", line))]


def _fetch(wanted: Path, target: Target, into: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", *target.pip_options()]
    _run([*command, "-r", str(wanted), "--dest", str(into)])


def build_own(project: Path, into: Path) -> Path:
    """Fanfold's own wheel out of a checkout. Raises WheelsError."""
    there = into.resolve()  # it is built in another folder than the caller's
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(there)]
    _run(command, cwd=project)
    return max(there.glob("fanfold-*.whl"), key=lambda wheel: wheel.stat().st_mtime_ns)


def hash_line(wheel: Path) -> str:
    """The line of requirements.txt for a wheel that no registry has."""
    name, version, *_ = wheel.name.split("-")
    return f"{name}=={version} --hash=sha256:{sha256_of(wheel)}\n"


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-_LAST_WORDS:]
        raise WheelsError(f"{' '.join(command[1:4])} ended with {done.returncode}: {said}")
