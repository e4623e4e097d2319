"""The Runtime component's archive: the libraries of the core as a folder, for one device.

`runtime.json` names the Python and the folders that its path gets; the same bytes for the same
input (docs/spec/components.md).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from device.bundle.target import Target
from device.bundle.wheels import WheelsError, download, requirements
from infra.where import PROJECT

FORMAT = 1
SITE = "site"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = ("__pycache__", "bin")


@dataclass(frozen=True)
class RuntimeZip:
    """`size` in bytes."""

    path: Path
    version: str
    size: int


def make_runtime_zip(target: Target, out: Path, work: Path) -> RuntimeZip:
    """Write the archive into the folder `out`; `work` keeps downloads. Raises WheelsError."""
    wheels = work / f"{target.arch}-{target.python}-{target.runtime}"
    wanted = work / f"{wheels.name}.txt"
    wheels.mkdir(parents=True, exist_ok=True)
    pinned = PROJECT / "constraints" / f"device-{target.runtime}.txt"
    lines = requirements(pinned.read_text(encoding="utf-8"), target).splitlines(keepends=True)
    wanted.write_text("".join(e for e in lines if not e.startswith("pip==")), encoding="utf-8")
    download(wanted, target, wheels)
    tree = work / f"{wheels.name}-tree"
    shutil.rmtree(tree, ignore_errors=True)
    _unpack(wanted, target, wheels, tree)
    return pack(target, tree, out)


def pack(target: Target, tree: Path | None, out: Path, paths: tuple[str, ...] = ()) -> RuntimeZip:
    """The archive of a folder that pip has filled. Without one, of `paths` on the device itself:
    libraries that its own system has, as on a Jetson."""
    facts = {"v": FORMAT, "python": target.python, "paths": [*((SITE,) if tree else ()), *paths]}
    content: dict[str, Path | bytes] = {"runtime.json": (json.dumps(facts) + "\n").encode()}
    for path in sorted(tree.rglob("*")) if tree else ():
        inside = path.relative_to(tree or path)
        if path.is_file() and not set(inside.parts) & set(_LEFT_OUT):
            content[f"{SITE}/{inside.as_posix()}"] = path
    digest = hashlib.sha256()
    for name, source in content.items():
        digest.update(name.encode() + hashlib.sha256(_read(source)).digest())
    version = digest.hexdigest()[:10]
    out.mkdir(parents=True, exist_ok=True)
    name = f"fanfold-runtime-{version}-{target.arch}-py{target.python}-{target.runtime}.zip"
    with zipfile.ZipFile(out / name, "w") as archive:
        for entry, source in content.items():
            info = zipfile.ZipInfo(entry, _EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, _read(source))
    return RuntimeZip(out / name, version, (out / name).stat().st_size)


def _read(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _unpack(wanted: Path, target: Target, wheels: Path, tree: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-index", "--no-deps", "--no-compile", "--only-binary=:all:"]
    command += ["--require-hashes", "--find-links", str(wheels), *target.pip_options()]
    command += ["--target", str(tree), "-r", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WheelsError(f"the runtime could not be put together: {done.stderr.strip()[-800:]}")
