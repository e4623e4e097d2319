"""`labels` of a package: a text file with one class per line, class 0 first.

Pure and standard library only. Editors and exporters leave byte order marks, CRLF,
numbered lines and other encodings; what is not plain is read or refused, never half read.
"""

from __future__ import annotations

import codecs
import csv
import io
import re

from lambdas.model.errors import ModelError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONGEST = 200


def read_labels(content: bytes, name: str) -> list[str]:
    """The classes' names. `name`: the file, for messages. Raises `ModelError`."""
    encoding = next((kind for mark, kind in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ModelError(f"{name}, line {line}: not UTF-8; save the file as UTF-8") from None
    lines = [line.rstrip("\r").strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    found = _numbered(lines, name) or lines
    for number, label in enumerate(found, 1):
        if not label:
            raise ModelError(f"{name}, line {number}: blank; every class needs a name")
        if len(label) > _LONGEST or not label.isprintable():
            raise ModelError(
                f"{name}, line {number}: {label!r:.60} is no name of a class; use up to {_LONGEST} "
                "printable characters, one class per line"
            )
    return found


def _numbered(lines: list[str], name: str) -> list[str] | None:
    """The names of `0,cat`, `1,dog`, …: where every line has its own number first."""
    rows = _rows(lines)
    if not rows or any(len(row) != 2 or not row[0].strip().isdecimal() for row in rows):
        return None
    numbers = [int(row[0]) for row in rows]
    if numbers == list(range(1, len(rows) + 1)) and len(rows) > 1:
        raise ModelError(
            f"{name}: its lines are numbered from 1 and classes count from 0: number them from 0, "
            "or leave the numbers out"
        )
    return [row[1].strip() for row in rows] if numbers == list(range(len(rows))) else None


def _rows(lines: list[str]) -> list[list[str]]:
    """Two columns, divided by a comma, a tab, a colon or a space."""
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), strict=True))
    except csv.Error:
        rows = []
    if len(rows) == len(lines) and all(len(row) == 2 for row in rows):
        return rows
    return [re.split(r"\s*[\t:]\s*|\s+", line, maxsplit=1) for line in lines]
