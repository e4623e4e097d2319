"""A version of the core out of the components' artifacts, kept when the nucleus deletes them.

A version is a folder that looks like a virtual environment: `bin/python` and one `.pth` file that
names the libraries and the core. So the launcher starts it as it starts one of a bundle.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from device.versions.record import Versions

FORMAT = 1
HEADROOM_BYTES = 4 << 20
"""A version that fits to the last byte could not start, and would count as one that is bad."""


class AdoptError(Exception):
    """The Runtime component's files cannot be used; which, and the remedy."""


def adopt(core: Path, runtime: Path, work: Path) -> str:
    """Copy what is new below `work`; the version's name. Raises AdoptError, OSError."""
    facts = _facts(runtime)
    version = f"{_identity(core.name)}-{_identity(runtime.name)}"
    target = work / "versions" / version
    if target.is_dir():
        return version
    libraries = work / "runtimes" / _identity(runtime.name)
    _keep(runtime, libraries)
    with _draft_of(target) as draft:
        draft.mkdir(parents=True)
        shutil.copytree(core, draft / "core")
        _make_ours(draft)
        (draft / "runtime").symlink_to(Path("../../runtimes") / libraries.name)
        paths = [p if Path(p).is_absolute() else f"{libraries}/{p}" for p in facts["paths"]]
        _environment(draft, [*paths, str(target / "core" / "lib")])
    return version


@contextlib.contextmanager
def _draft_of(target: Path) -> Iterator[Path]:
    """Becomes `target` whole; what did not fit takes no room from who works here."""
    draft = target.with_name(f".{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        yield draft
        _leave_room(target.parent)
        draft.rename(target)
    except OSError:
        with contextlib.suppress(OSError):
            _make_ours(draft)
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _leave_room(folder: Path) -> None:
    if shutil.disk_usage(folder).free < HEADROOM_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def prune(work: Path, versions: Versions) -> None:
    """Keep the version that proved itself and the one on trial, with their libraries."""
    wanted = {each for each in (versions.proved, versions.trial) if each}
    libraries = set()
    for version in _folders(work / "versions"):
        if version.name in wanted:
            libraries.add(version.name.rpartition("-")[2])
        else:
            shutil.rmtree(version, ignore_errors=True)
    for runtime in _folders(work / "runtimes"):
        if runtime.name not in libraries:
            shutil.rmtree(runtime, ignore_errors=True)


def why(error: OSError) -> str:
    """In the system's words; `copytree` collects one error per file."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2]).rpartition("] ")[2].partition(":")[0]
    return str(error.strerror or error)


def _folders(parent: Path) -> list[Path]:
    return list(parent.iterdir()) if parent.is_dir() else []


def _identity(name: str) -> str:
    """Artifacts unpack into folders of their content's name."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _facts(runtime: Path) -> dict[str, Any]:
    file = runtime / "runtime.json"
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        if facts["v"] != FORMAT or facts["python"] != python:
            raise AdoptError(
                f"{file}: is for Python {facts['python']}, this is {python}: make a runtime "
                f"for it (fanfold bundle --runtime-zip --python {python})"
            )
        return dict(facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AdoptError(f"{file}: cannot be read ({error}); deploy the Runtime again") from error


def _keep(source: Path, target: Path) -> None:
    """Hard links where the file system and the rights allow, copies elsewhere."""
    if target.is_dir():
        return
    with _draft_of(target) as draft:
        shutil.copytree(source, draft, symlinks=True, copy_function=_link)
        _make_ours(draft)


def _make_ours(folder: Path) -> None:
    """Artifacts are not writable, and neither are copies of their folders: not to be removed."""
    for path, _, _ in os.walk(folder):
        Path(path).chmod(0o755)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _environment(folder: Path, paths: list[str]) -> None:
    python = Path(sys.executable).resolve()
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(python)
    (folder / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = folder / "lib" / name / "site-packages"
    packages.mkdir(parents=True)
    (packages / "fanfold.pth").write_text("".join(f"{p}\n" for p in paths), encoding="utf-8")
