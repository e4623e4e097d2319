"""Fanfold as a wheel in an environment of its own, without a network.

Its dependencies are links to what is installed here, and only those that the wheel asks for: one
that is missing from the wheel's metadata is missing there too.
"""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

from checkout import PROJECT
from packaging.requirements import Requirement


def build_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def install(wheel: Path, folder: Path) -> Path:
    """A fresh environment with the wheel; returns its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python3*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
        info = next(n for n in archive.namelist() if n.endswith("METADATA"))
        asked = metadata.PathDistribution((packages / info).parent).requires or []
    for distribution in closure(asked):
        for entry in {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}:
            link = packages / entry
            if not link.exists() and entry != "__pycache__":
                link.symlink_to(Path(str(distribution.locate_file(entry))))
    return folder / "bin" / "python"


def closure(asked: list[str]) -> list[metadata.Distribution]:
    """What these requirements bring, without any extra that nobody asked for."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(line) for line in asked]
    while waiting:
        wanted = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        if wanted.name not in found:
            found[wanted.name] = metadata.distribution(wanted.name)
            waiting += map(Requirement, found[wanted.name].requires or ())
    return list(found.values())
