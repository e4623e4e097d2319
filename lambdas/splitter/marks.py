"""What tells one content of a file from the next without reading it."""

from __future__ import annotations

import hashlib
import os
from typing import Iterable, Sequence

UNKNOWN = "-"
SHORT = 8
_INSIDE = "inside"


def mark_of(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def inline_mark(digest: str) -> str:
    """Of an image that came inside a message: no names that an event of files could have."""
    return f"{digest[:32]}:{_INSIDE}"


def same_inline(known: str, digest: str) -> bool:
    """Older marks are the digest alone."""
    return known.partition(":")[0] == digest[:32]


def marks_digest(marks: Iterable[str]) -> str:
    """The same for several files, in their order."""
    text = "\0".join(marks).encode("utf-8", "surrogatepass")  # names need not be UTF-8
    return hashlib.sha256(text).hexdigest()[:32]


def content_mark(files: Sequence[str], marks: Sequence[str | None]) -> str:
    """Of an event that names files: `{contents}:{names}`. None among `marks`: that file could
    not be had; then the contents are listed one by one, so that the others can be compared."""
    had = [mark for mark in marks if mark is not None]
    if len(had) == len(files):
        return f"{marks_digest(had)}:{marks_digest(files)}"
    return f"{','.join(map(_short, marks))}:{marks_digest(files)}"


def same_content(known: str, files: Sequence[str], marks: Sequence[str | None]) -> bool:
    """Whether these files are what `known` was made of. A file that is gone since counts as the
    same under the same names only; older marks have no names."""
    contents, _, names = known.partition(":")
    had = [mark for mark in marks if mark is not None]
    if UNKNOWN in contents:
        then = contents.split(",")
        if len(then) != len(marks):
            return False
        pairs = [pair for pair in zip(then, map(_short, marks)) if UNKNOWN not in pair]
        if any(old != new for old, new in pairs):
            return False
    elif len(had) == len(files):
        return marks_digest(had) == contents
    return not names or names == marks_digest(files)


def _short(mark: str | None) -> str:
    return UNKNOWN if mark is None else hashlib.sha256(mark.encode()).hexdigest()[:SHORT]
