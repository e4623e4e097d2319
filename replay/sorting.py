"""Sorting more names than memory should hold."""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO

RUN = 50_000


def sorted_on_disk(names: Iterable[str], run: int = RUN) -> Iterator[str]:
    """By their bytes, as S3 lists; above `run` names sorted runs wait in temporary files."""
    source = iter(names)
    first = sorted(islice(source, run), key=_bytes)
    if len(first) < run:
        yield from first
        return
    runs = [_spilled(first)]
    while chunk := sorted(islice(source, run), key=_bytes):
        runs.append(_spilled(chunk))
    try:
        yield from heapq.merge(*map(_lines, runs), key=_bytes)
    finally:
        for file in runs:
            file.close()


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _spilled(names: list[str]) -> IO[str]:
    file = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 - the merge closes it
    file.writelines(json.dumps(name) + "\n" for name in names)
    file.seek(0)
    return file


def _lines(file: IO[str]) -> Iterator[str]:
    for line in file:
        yield json.loads(line)
