"""Lines at the end of files that only grow, read without holding such a file in memory.

What a thread once took for 16 MiB of lines stays the process's: malloc gives little of it back.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

_BLOCK_BYTES = 64 << 10
_KEY = re.compile(rb'\{"epoch":"([0-9a-f]+)","id":(\d+),')


def settle(path: Path) -> bytes:
    """Cuts off what a crash left after the last newline. The last whole line; empty: none."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = _last_newline(file, size) + 1
        if end != size:
            file.truncate(end)
        start = _last_newline(file, end - 1) + 1
        file.seek(start)
        return file.read(end - start)


def key_of(line: bytes) -> tuple[str, int]:
    """Epoch and number of a message."""
    found = json.loads(line)
    return str(found["epoch"]), int(found["id"])


def digest(line: bytes) -> bytes:
    return hashlib.blake2b(line.rstrip(b"\n"), digest_size=16).digest()


def digests_in(files: Sequence[Path], epoch: str, wanted: Iterable[int]) -> dict[int, bytes]:
    """Of the lines of ``epoch`` with these numbers, as far as they are in ``files``."""
    missing, found = set(wanted), {}
    for path in files:
        if not missing:
            break
        with path.open("rb") as file:
            for line in file:
                key = _KEY.match(line)
                if key and int(key[2]) in missing and key[1].decode() == epoch:
                    missing.discard(number := int(key[2]))
                    found[number] = digest(line)
    return found


def _last_newline(file: BinaryIO, before: int) -> int:
    """Its place below ``before``; -1: there is none."""
    while before > 0:
        start = max(0, before - _BLOCK_BYTES)
        file.seek(start)
        found = file.read(before - start).rfind(b"\n")
        if found >= 0:
            return start + found
        before = start
    return -1
