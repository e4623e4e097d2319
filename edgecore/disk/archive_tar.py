"""Read a gzip-compressed tar as a stream: ustar, pax (``path``, ``size``), GNU long names.

POSIX.1-2017 ``pax``, "ustar Interchange Format". Links, devices, FIFOs, sparse files and
every other type are refused by name.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import IO

from edgecore.disk.archive_entry import ArchiveError, Entry, no_content

_BLOCK = 512
_SKIP_CHUNK = 64 * 1024
_MAX_EXTENSION_BYTES = 64 * 1024  # a pax header is read whole, so it must be small
_TYPES = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a FIFO",
    b"S": "a sparse file",
}
_REGULAR = (b"0", b"\0", b"7")


class _Stream:
    """The decompressed bytes; turns every way of being broken into ``ArchiveError``."""

    def __init__(self, source: IO[bytes]) -> None:
        self._gzip = gzip.GzipFile(fileobj=source, mode="rb")

    def read(self, size: int) -> bytes:
        try:
            return self._gzip.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise ArchiveError(f"is damaged: {error}") from error

    def read_exactly(self, size: int) -> bytes:
        data = self.read(size)
        if len(data) != size:
            raise ArchiveError("ends in the middle of an entry")
        return data


class _Body:
    """One file's content; what the consumer leaves is skipped by ``finish``."""

    def __init__(self, stream: _Stream, size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % _BLOCK

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        if not data and self._left and size:
            raise ArchiveError("ends in the middle of a file")
        self._left -= len(data)
        return data

    def finish(self) -> None:
        while self._left:
            self.read(_SKIP_CHUNK)
        if self._padding:
            self._stream.read_exactly(self._padding)


def entries(source: IO[bytes]) -> Iterator[Entry]:
    """Yield regular files and folders in archive order; each is read before the next."""
    stream = _Stream(source)
    overrides: dict[str, str] = {}
    while (header := stream.read(_BLOCK)) and header != bytes(_BLOCK):
        if len(header) != _BLOCK:
            raise ArchiveError("ends in the middle of a header")
        _check_sum(header)
        kind = header[156:157]
        size = _number(overrides.get("size"), header[124:136])
        body = _Body(stream, size)
        if kind in (b"x", b"g", b"L"):
            found = _extension(kind, size, body)
            overrides.update({} if kind == b"g" else found)
            body.finish()
            continue
        name = overrides.get("path", _name(header))
        overrides = {}
        yield _entry(kind, name, header, body, size)
        body.finish()


def _entry(kind: bytes, name: str, header: bytes, body: _Body, size: int) -> Entry:
    if kind == b"5" or (kind in _REGULAR and name.endswith("/") and size == 0):
        return Entry(name=name, is_file=False, executable=False, read=no_content)
    if kind not in _REGULAR:
        what = _TYPES.get(kind, f"of the unsupported type {kind!r}")
        raise ArchiveError(f"{name!r} is {what}; only regular files are accepted")
    executable = bool(_octal(header[100:108]) & 0o100)
    return Entry(name=name, is_file=True, executable=executable, read=body.read)


def _extension(kind: bytes, size: int, body: _Body) -> dict[str, str]:
    if size > _MAX_EXTENSION_BYTES:
        raise ArchiveError(f"a header extension of {size} bytes; limit {_MAX_EXTENSION_BYTES}")
    data = b""
    while chunk := body.read(size - len(data)):
        data += chunk
    if kind == b"L":
        return {"path": _text(data.rstrip(b"\0"))}
    return _pax_records(data)


def _pax_records(data: bytes) -> dict[str, str]:
    """Records are ``"%d %s=%s\\n" % (length of the whole record, key, value)``."""
    found = {}
    while data:
        length_text, space, _ = data.partition(b" ")
        if not space or not length_text.isdigit() or not 0 < int(length_text) <= len(data):
            raise ArchiveError("a malformed pax header")
        length = int(length_text)
        key, equals, value = data[len(length_text) + 1 : length - 1].partition(b"=")
        if not equals:
            raise ArchiveError("a malformed pax header")
        if key.startswith(b"GNU.sparse"):
            raise ArchiveError("a sparse file; only regular files are accepted")
        if key in (b"path", b"size"):
            found[_text(key)] = _text(value)
        data = data[length:]
    return found


def _name(header: bytes) -> str:
    name = header[0:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:262] == b"ustar" else b""
    is_gnu = header[257:265] == b"ustar  \0"  # GNU keeps times where ustar keeps the prefix
    return _text(prefix + b"/" + name if prefix and not is_gnu else name)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{raw[:60]!r} is not UTF-8") from error


def _number(override: str | None, raw: bytes) -> int:
    if override is None:
        return _octal(raw)
    if not override.isascii() or not override.isdigit():
        raise ArchiveError(f"a malformed size {override[:20]!r}")
    return int(override[:20])


def _octal(raw: bytes) -> int:
    text = raw.strip(b" \0") or b"0"
    if any(digit not in b"01234567" for digit in text):
        raise ArchiveError("a malformed number in a header")
    return int(text, 8)


def _check_sum(header: bytes) -> None:
    blanked = header[:148] + b" " * 8 + header[156:]
    if sum(blanked) != _octal(header[148:156]):
        raise ArchiveError("is damaged: a header's checksum is wrong")
