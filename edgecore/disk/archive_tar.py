"""Regular files and folders of a gzip-compressed tar, streamed by ``tarfile``.

Nothing is extracted by ``tarfile``: it parses headers (ustar, pax, GNU), names and contents go
to the extractor. Links, devices, FIFOs, sparse files and every other type are refused by name.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, cast

from edgecore.disk.archive_entry import ArchiveError, Entry, no_content

_BLOCK = tarfile.BLOCKSIZE
_SKIP_CHUNK = 64 * 1024
_MAX_EXTENSION_BYTES = 64 * 1024
"""Headers of one entry: a pax header is held in memory, a chain of them on the stack."""
_MAX_HEADER_BYTES = 64 << 20
"""Headers of the whole archive: 20,000 entries with long names in pax need half of it."""
_TYPES = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_BROKEN = (
    tarfile.TarError, OSError, EOFError, zlib.error,
    ValueError, LookupError, ArithmeticError, RecursionError,
)  # fmt: skip


class _Stream:
    """The decompressed bytes, counted while ``tarfile`` reads headers."""

    def __init__(self, source: IO[bytes]) -> None:
        self._gzip = gzip.GzipFile(fileobj=source, mode="rb")
        self._header_bytes = 0
        self._entry_bytes: int | None = 0
        self.last = b""

    def read(self, size: int) -> bytes:
        self.last = self._gzip.read(size)
        if self._entry_bytes is not None:
            self._count(len(self.last))
        return self.last

    def _count(self, size: int) -> None:
        self._header_bytes += size
        self._entry_bytes = (self._entry_bytes or 0) + size
        if self._entry_bytes > _MAX_EXTENSION_BYTES:
            raise ArchiveError(f"a header extension of more than {_MAX_EXTENSION_BYTES} bytes")
        if self._header_bytes > _MAX_HEADER_BYTES:
            raise ArchiveError(f"more than {_MAX_HEADER_BYTES} bytes of headers")

    def start_of_entry(self) -> None:
        self._entry_bytes = 0

    def start_of_content(self) -> None:
        """What is read until the next entry is a file's; its cost is the extractor's."""
        self._entry_bytes = None


def entries(source: IO[bytes]) -> Iterator[Entry]:
    """Yield regular files and folders in archive order; each is read before the next."""
    stream = _Stream(source)
    with _damage():
        archive = tarfile.open(  # noqa: SIM115 - nothing to close: the source is the caller's
            fileobj=cast(Any, stream), mode="r|", bufsize=_BLOCK, encoding="utf-8", errors="strict"
        )
    while (member := _next(archive, stream)) is not None:
        if member.isdir() or (member.isreg() and member.name.endswith("/") and not member.size):
            yield Entry(name=member.name, is_file=False, executable=False, read=no_content)
            continue
        if not member.isreg() or member.issparse() or member.size < 0:
            what = _TYPES.get(member.type, f"of the unsupported type {member.type!r}")
            what = "a sparse file" if member.issparse() else what
            raise ArchiveError(f"{member.name!r} is {what}; only regular files are accepted")
        stream.start_of_content()
        read = partial(_read, cast(IO[bytes], archive.extractfile(member)))
        executable = bool(member.mode & 0o100)
        yield Entry(name=member.name, is_file=True, executable=executable, read=read)
        while read(_SKIP_CHUNK):
            pass


def _next(archive: tarfile.TarFile, stream: _Stream) -> tarfile.TarInfo | None:
    """The next member. ``tarfile`` takes a damaged header for the end of the archive."""
    stream.start_of_entry()
    with _damage():
        member = archive.next()
    if member is None and stream.last.strip(b"\0"):
        raise ArchiveError("is damaged: a header's checksum is wrong, or it ends in a header")
    return member


def _read(content: IO[bytes], size: int) -> bytes:
    with _damage():
        return content.read(size)


@contextmanager
def _damage() -> Iterator[None]:
    """Every way of being broken becomes an ``ArchiveError``."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{error.object[:60]!r} is not UTF-8") from error
    except _BROKEN as error:
        raise ArchiveError(f"is damaged: {error}") from error
