"""A new version that the core hands over: `request.json` names an archive, which is installed.

The core writes the archive first and the request by rename. What becomes of it is in `result.json`,
which the next core reads (docs/spec/launcher.md).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

from device.versions.installing import BundleError, install_version
from device.versions.record import write_durably

FORMAT = 1


def pending(folder: Path) -> bool:
    return (folder / "request.json").is_file()


def take(folder: Path, versions: Path) -> str:
    """Install what was asked for; the version's name. Raises BundleError; the request is gone."""
    request = folder / "request.json"
    unpacked = folder / "unpacked"
    shutil.rmtree(str(unpacked), ignore_errors=True)
    try:
        asked = _read(request)
        archive = Path(asked["archive"])
        _check(archive, asked["sha256"])
        _unpack(archive, unpacked)
        bundle = next(iter(unpacked.glob("*/bundle.json")), unpacked / "bundle.json").parent
        return install_version(bundle, versions)
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the new version cannot be used: {error}") from error
    finally:
        shutil.rmtree(str(unpacked), ignore_errors=True)
        request.unlink()
        for archive in (*folder.glob("*.archive"), *folder.glob("*.tar")):
            archive.unlink()  # 130 MB that nobody needs any more


def report(folder: Path, version: str, outcome: str, reason: str, running: str) -> None:
    """`outcome`: `proved`, `went_back` or `not_installed`."""
    facts = {"version": version, "outcome": outcome, "reason": reason, "running": running}
    write_durably(folder / "result.json", json.dumps({"v": FORMAT, **facts}) + "\n")


def _read(path: Path) -> dict[str, Any]:
    asked = json.loads(path.read_text(encoding="utf-8"))
    if asked.get("v") != FORMAT:
        raise ValueError(
            f"{path.name} has version {asked.get('v')!r}, this launcher reads {FORMAT}"
        )
    return dict(asked)


def _check(archive: Path, sha256: str) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != sha256:
        raise ValueError(f"{archive.name} has SHA-256 {digest}, asked for was {sha256}")


def _unpack(archive: Path, folder: Path) -> None:
    """Regular files and folders only, below `folder`."""
    with tarfile.open(str(archive)) as tar:
        for member in tar:
            target = (folder / member.name).resolve()
            if folder.resolve() not in target.parents and target != folder.resolve():
                raise ValueError(f"{archive.name}: {member.name} lies outside of the bundle")
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                if source is not None:
                    with target.open("wb") as sink:
                        shutil.copyfileobj(source, sink)
            else:
                raise ValueError(f"{archive.name}: {member.name} is neither a file nor a folder")
