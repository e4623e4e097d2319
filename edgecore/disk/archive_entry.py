"""What the tar and the zip reader hand to the extractor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class ArchiveError(Exception):
    """The archive is malformed, hostile or beyond its limits; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A regular file or a folder. ``read(n)`` gives at most n bytes, ``b""`` at the end."""

    name: str
    is_file: bool
    executable: bool
    read: Callable[[int], bytes]


def no_content(_: int) -> bytes:
    return b""
