"""A model package as a folder on this node: unpacked once, named by its content."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import tempfile
import zipfile
from pathlib import Path

from edgecore.disk.archive import ArchiveError, extract
from lambdas.model.package import load_package
from lambdas.model.spec import ModelError, ModelSpec
from replay.errors import CannotLoadError, NoPackageError, ReplayError
from replay.opening import place_of


def spec_of(folder: str, package: str = "") -> ModelSpec:
    """Every hash checked; `package`: what a person gave. Raises `NoPackageError`."""
    try:
        return load_package(folder).spec
    except ModelError as error:
        raise NoPackageError(str(error).replace(folder, package or folder)) from error


def local_package(package: str) -> str:
    """Folder of `package`: itself, or what an archive (a path or an S3 URI) unpacks to.

    Processes of one node share it; the first unpacks. Raises `ReplayError`.
    """
    if not package.startswith("s3://"):
        path = Path(package)
        if path.is_dir():
            return str(path.absolute())
        if not path.is_file():
            raise NoPackageError(f"{package}: no such model package or folder")
        return unpacked(path.read_bytes(), package)
    folder, _, name = package.rpartition("/")
    try:
        return unpacked(place_of(folder).read(name), package)
    except FileNotFoundError:
        raise NoPackageError(f"{package}: no such model package") from None


def packed(package: str) -> bytes:
    """What `unpacked` takes: an archive as it is, or a folder's files, for who cannot see it."""
    path, content = Path(package), io.BytesIO()
    if path.is_file():
        return path.read_bytes()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED, strict_timestamps=False) as made:
        for file in sorted(each for each in path.rglob("*") if each.is_file()):
            made.write(file, file.relative_to(path).as_posix())
    return content.getvalue()


def unpacked(content: bytes, package: str = "the model package") -> str:
    """Folder with the archive's files; `package` names it. Raises `ReplayError`."""
    digest = hashlib.sha256(content).hexdigest()[:32]
    cache = Path(tempfile.gettempdir()) / f"fanfold-models-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    if cache.stat().st_uid != os.getuid():
        raise CannotLoadError(f"{cache}: belongs to another user; set TMPDIR")
    folder = cache / digest
    with (cache / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            archive = cache / f"{digest}.archive"
            archive.write_bytes(content)
            try:
                extract(archive, folder)
            except ArchiveError as error:
                said = str(error).removeprefix(f"{archive.name}: ")  # a name that nobody gave
                remedy = "pass a package (`fanfold model pack`) or its folder"
                raise NoPackageError(f"{package}: {said}; {remedy}") from error
            except Exception as error:
                raise ReplayError(f"{package} cannot be unpacked: {error}") from error
            finally:
                archive.unlink()
    return str(folder)
