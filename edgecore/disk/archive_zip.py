"""Read a zip's regular files: stored or deflated, not encrypted, at most 65,535 entries."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import IO

from edgecore.disk.archive_entry import ArchiveError, Entry, no_content

_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
_MAX_COMMENT_BYTES = 0xFFFF
_MAX_DIRECTORY_BYTES = 64 << 20  # zipfile holds the whole central directory in memory
_ENCRYPTED = 0x1
# The last two: zipfile believes offsets and names, and seeks or decodes before it doubts.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error,
    OSError, ValueError,
)  # fmt: skip
_UNIX = 3


def entries(source: IO[bytes], *, max_entries: int) -> Iterator[Entry]:
    """Yield regular files and folders; each is read before the next."""
    _check_end_record(source, max_entries)
    try:
        with zipfile.ZipFile(source) as archive:
            for info in archive.infolist():
                yield from _entry(archive, info)
    except _BROKEN as error:
        raise ArchiveError(f"is damaged: {error}") from error


def _check_end_record(source: IO[bytes], max_entries: int) -> None:
    size = source.seek(0, os.SEEK_END)
    source.seek(max(0, size - _END_RECORD_BYTES - _MAX_COMMENT_BYTES))
    tail = source.read()
    at = tail.rfind(_END_RECORD)
    if at < 0 or len(tail) - at < _END_RECORD_BYTES:
        raise ArchiveError("is damaged: no end-of-directory record")
    count, directory_bytes = struct.unpack("<HI", tail[at + 10 : at + 16])
    if count > max_entries or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise ArchiveError(f"more than {max_entries} entries")
    source.seek(0)


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[Entry]:
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    kind = stat.S_IFMT(mode)
    if "\0" in info.orig_filename:
        raise ArchiveError(f"{info.orig_filename!r} holds a control character")
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{info.filename!r} is encrypted")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a special file"
        raise ArchiveError(f"{info.filename!r} is {what}; only regular files are accepted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"{info.filename!r} uses compression method {info.compress_type}")
    if info.is_dir():
        yield Entry(name=info.filename, is_file=False, executable=False, read=no_content)
        return
    executable = bool(mode & stat.S_IXUSR)
    with archive.open(info) as content:
        read = partial(_read, content)
        yield Entry(name=info.filename, is_file=True, executable=executable, read=read)


def _read(content: IO[bytes], size: int) -> bytes:
    """It is the extractor that reads, outside of `entries`: a wrong checksum is found here."""
    try:
        return content.read(size)
    except _BROKEN as error:
        raise ArchiveError(f"is damaged: {error}") from error
