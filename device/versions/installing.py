"""One version of the core out of an unpacked bundle: checked, installed beside the others.

The bundle brings pip as a wheel, so the device needs an interpreter and nothing else: no pip, no
compiler, no network. A version appears under its name only when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from device.versions.command import CommandError, run

FORMAT = 1
INSTALL_TIMEOUT_S = 900
_READABLE = 0o022
"""Nothing of a version is secret; the folder that holds the versions says who comes in."""


class BundleError(Exception):
    """The bundle is not for this device or is damaged; what, and the remedy, in one line."""


def read_bundle(bundle: Path) -> dict[str, Any]:
    """`bundle.json`, once it is known that every file of the bundle is as it was made.

    Raises BundleError.
    """
    try:
        facts = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
        version, files = facts["v"], facts["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{bundle}: is no bundle ({error}); copy the archive again") from error
    if version != FORMAT:
        raise BundleError(f"{bundle}: bundle version {version!r}, this installer reads {FORMAT}")
    for name, expected in files.items():
        if not _matches(bundle / name, expected["sha256"]):
            raise BundleError(f"{bundle / name}: missing or damaged; copy the archive again")
    return dict(facts)


def refuse_foreign(facts: dict[str, Any]) -> None:
    """Raises BundleError where the bundle is for another machine or another Python."""
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for what, wanted, here in (
        ("architecture", facts["arch"], machine),
        ("Python", facts["python"], python),
    ):
        if wanted != here:
            raise BundleError(
                f"the bundle is for {what} {wanted}, this device has {here}: "
                f"fanfold bundle --arch {machine} --python {python}"
            )


def interpreter() -> str:
    """The one that runs this: a version manager's stand-in on the PATH may be root's only."""
    return str(Path(sys.executable).resolve())


def install_version(bundle: Path, versions: Path) -> str:
    """Install the bundle's version below `versions` unless it is there; its name.

    Raises BundleError; then nothing of it is left.
    """
    facts = read_bundle(bundle)
    refuse_foreign(facts)
    name = str(facts["version"])
    target = versions / name
    if _is_whole(target):
        return name
    versions.mkdir(parents=True, exist_ok=True)
    draft, former = versions / f".{name}.new", versions / f".{name}.old"
    shutil.rmtree(str(draft), ignore_errors=True)
    try:
        _run([interpreter(), "-m", "venv", "--without-pip", "--symlinks", str(draft)])
        _pip(draft / "bin" / "python", bundle)
        if target.exists():
            shutil.rmtree(str(former), ignore_errors=True)
            target.replace(former)
        draft.replace(target)
    except BaseException:
        shutil.rmtree(str(draft), ignore_errors=True)
        raise
    shutil.rmtree(str(former), ignore_errors=True)
    return name


def _is_whole(version: Path) -> bool:
    """Installed, and by this interpreter: one made by another is made anew."""
    python = version / "bin" / "python"
    return version.is_dir() and str(python.resolve()) == interpreter()


def _pip(python: Path, bundle: Path) -> None:
    """pip out of its own wheel; every other wheel by its hash, none from anywhere else."""
    wheels = bundle / "wheels"
    pip = next(iter(sorted(wheels.glob("pip-*.whl"))), None)
    if pip is None:
        raise BundleError(f"{wheels}: holds no pip; copy the archive again")
    command = [str(python), str(pip / "pip"), "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-compile", "--require-hashes"]
    _run([*command, "--find-links", str(wheels), "-r", str(bundle / "requirements.txt")])


def _run(command: list[str]) -> None:
    try:
        run(command, INSTALL_TIMEOUT_S, umask=_READABLE)
    except CommandError as error:
        raise BundleError(f"the version could not be installed: {error}") from error


def _matches(path: Path, sha256: str) -> bool:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return False
    return digest.hexdigest() == sha256
