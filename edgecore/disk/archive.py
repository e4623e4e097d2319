"""Unpack a ``tar.gz`` or ``zip`` that nobody vouches for.

``tarfile`` and ``zipfile`` parse; neither extracts: the ``data`` filter of the interpreters
that run here predates the fixes for CVE-2025-4517/4330/4138, and an archive of a model or a
Lambda needs nothing but regular files. Everything is checked while it streams; the target
appears by one rename, whole, or not at all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from edgecore.disk import archive_tar, archive_zip
from edgecore.disk.archive_entry import ArchiveError, Entry
from edgecore.disk.sync import begin_sync, sync_files, sync_folder, sync_folders

__all__ = ["ArchiveError", "Limits", "extract"]

MIB = 1 << 20
_CHUNK_BYTES = 256 * 1024
_MAX_COMPONENT_BYTES = 255  # NAME_MAX of every Linux file system in use
_MAX_NAME_BYTES = 1024
_MAX_DEPTH = 32
_FIRST_PRINTABLE = " "


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one archive may cost. The ratio counts only beyond ``ratio_grace_bytes``."""

    max_files: int = 10_000
    max_folders: int = 10_000
    """Also those that only names of files imply: each is an inode."""
    max_file_bytes: int = 2048 * MIB
    max_total_bytes: int = 4096 * MIB
    max_ratio: int = 100
    ratio_grace_bytes: int = 8 * MIB


LAMBDA_LIMITS = Limits(max_file_bytes=250 * MIB, max_total_bytes=250 * MIB)
"""AWS Lambda's own limit for a function's unzipped code: 250 MB."""


@dataclass
class _Budget:
    limits: Limits
    packed_bytes: int
    files: int = 0
    folders: int = 0
    total_bytes: int = 0
    taken: dict[str, bool] = field(default_factory=dict)  # name → is a regular file

    def open_file(self, name: str) -> None:
        self.files += 1
        if self.files > self.limits.max_files:
            raise ArchiveError(f"more than {self.limits.max_files} files")
        self.claim(name, is_file=True)

    def claim(self, name: str, *, is_file: bool) -> None:
        if name in self.taken and (is_file or self.taken[name]):
            raise ArchiveError(f"{name!r} appears twice")
        parent = name.rpartition("/")[0]
        while parent:
            if self.taken.get(parent):
                raise ArchiveError(f"{name!r} lies below {parent!r}, which is a file")
            self._folder(parent)
            parent = parent.rpartition("/")[0]
        if is_file:
            self.taken[name] = True
        else:
            self._folder(name)

    def _folder(self, name: str) -> None:
        if name in self.taken:
            return
        self.folders += 1
        if self.folders > self.limits.max_folders:
            raise ArchiveError(f"more than {self.limits.max_folders} folders")
        self.taken[name] = False

    def spend(self, name: str, written_bytes: int, chunk_bytes: int) -> None:
        limits = self.limits
        self.total_bytes += chunk_bytes
        if written_bytes > limits.max_file_bytes:
            raise ArchiveError(f"{name!r} is larger than {limits.max_file_bytes} bytes")
        if self.total_bytes > limits.max_total_bytes:
            raise ArchiveError(f"holds more than {limits.max_total_bytes} bytes")
        if self.total_bytes > limits.ratio_grace_bytes + limits.max_ratio * self.packed_bytes:
            raise ArchiveError(f"expands more than {limits.max_ratio} times: refused as a bomb")


def safe_name(raw: str) -> str:
    """The normalised relative name, or ``ArchiveError``; ``""`` for the root itself."""
    if "\\" in raw or any(c < _FIRST_PRINTABLE or c == "\x7f" for c in raw):
        raise ArchiveError(f"{raw!r} holds a backslash or a control character")
    if raw.startswith("/") or raw[1:2] == ":":
        raise ArchiveError(f"{raw!r} is an absolute path")
    parts = [part for part in raw.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveError(f"{raw!r} leads outside with '..'")
    try:
        too_long = any(len(os.fsencode(part)) > _MAX_COMPONENT_BYTES for part in parts)
    except UnicodeEncodeError as error:
        raise ArchiveError(f"{raw!r} is not a valid file name") from error
    name = "/".join(parts)
    if too_long or len(os.fsencode(name)) > _MAX_NAME_BYTES or len(parts) > _MAX_DEPTH:
        raise ArchiveError(f"{raw[:60]!r}… is too long or too deep")
    return name


def extract(archive: Path, into: Path, *, limits: Limits | None = None) -> tuple[str, ...]:
    """Unpack ``archive`` into the new folder ``into``; return the files' relative names.

    ``into`` must not exist; it appears complete and synced to disk, or not at all.
    Raises ``ArchiveError`` (subject, reason) for whatever is not a plain archive of
    regular files within ``limits``.
    """
    if into.exists():
        raise ArchiveError(f"{archive.name}: target {into} exists already")
    into.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{into.name}.partial-", dir=into.parent))
    try:
        names = _extract_entries(archive, partial, limits or Limits())
        partial.chmod(0o755)
        sync_files(partial / name for name in names)
        sync_folders(partial)
        partial.rename(into)
    except ArchiveError as error:
        raise ArchiveError(f"{archive.name}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_folder(into.parent)
    return names


def _extract_entries(archive: Path, target: Path, limits: Limits) -> tuple[str, ...]:
    budget = _Budget(limits=limits, packed_bytes=archive.stat().st_size)
    names = []
    with archive.open("rb") as source:
        for entry in _entries(source, limits):
            name = safe_name(entry.name)
            if not entry.is_file:
                if name:
                    budget.claim(name, is_file=False)
                    (target / name).mkdir(parents=True, exist_ok=True)
                continue
            if not name:
                raise ArchiveError(f"{entry.name!r} is not a file name")
            budget.open_file(name)
            _write(entry, target / name, name, budget)
            names.append(name)
    if not names:
        raise ArchiveError("holds no files")
    return tuple(names)


def _entries(source: IO[bytes], limits: Limits) -> Iterator[Entry]:
    magic = source.read(4)
    source.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return archive_tar.entries(source)
    if magic[:2] == b"PK":
        return archive_zip.entries(source, max_entries=2 * limits.max_files)
    raise ArchiveError("is neither tar.gz nor zip")


def _write(entry: Entry, path: Path, name: str, budget: _Budget) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written_bytes = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    mode = 0o755 if entry.executable else 0o644
    with os.fdopen(os.open(path, flags, mode), "wb") as out:
        while chunk := entry.read(_CHUNK_BYTES):
            written_bytes += len(chunk)
            budget.spend(name, written_bytes, len(chunk))
            out.write(chunk)
        out.flush()
        begin_sync(out.fileno())
