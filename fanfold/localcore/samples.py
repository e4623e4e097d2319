"""Kept live images: what a core says of them, and their files in a folder for labelling."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contract.image_kinds import HEAD_BYTES, kind_of
from contract.status import Status
from edgecore.core.stats import mapping
from edgecore.history.query import Query
from edgecore.history.reader import Reader
from edgecore.history.text import visible
from fanfold.common.errors import INVALID, UserError

RECORDS = "records.jsonl"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MB = 1 << 20


def samples_line(answer: Status) -> str:
    """One line for `fanfold status`; "": the site keeps none."""
    history = mapping(answer.get("history"))
    samples = mapping(history.get("samples"))
    if not samples.get("rules"):
        return ""
    why = ", ".join(f"{reason} {n}" for reason, n in samples["left_out_by_reason"].items())
    room = f"{history.get('samples_bytes', 0) / _MB:.1f} of {samples['quota_bytes'] / _MB:.0f} MB"
    left_out = f"{samples['left_out']} left out" + (f" ({why})" if why else "")
    return visible(f"samples: {samples['kept']} kept since the start, {room}, {left_out}")


def write_samples(reader: Reader, query: Query, folder: Path) -> int:
    """Every kept image that is found, and `records.jsonl` beside them; how many.

    Raises UserError: the folder holds something already, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"{folder} is not empty: name a new folder", INVALID)
        count = 0
        with (folder / RECORDS).open("w", encoding="utf-8") as lines:
            for record in _found(reader, query):
                if (line := _write_one(reader, record, folder)) is not None:
                    lines.write(json.dumps(line) + "\n")
                    count += 1
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}", INVALID) from error
    return count


def _found(reader: Reader, query: Query) -> Iterator[Mapping[str, Any]]:
    for page in reader.pages(query):
        yield from page


def _write_one(reader: Reader, record: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """None: it has gone with the oldest meanwhile."""
    kept = reader.sample(record["number"])
    if kept is None:
        return None
    kind = kind_of(kept.content[:HEAD_BYTES])
    camera = _plain(record["camera"])
    name = (
        f"{record['number']:09d}-{_plain(Path(record['name']).stem)}{kind.suffix if kind else ''}"
    )
    (folder / camera).mkdir(exist_ok=True)
    (folder / camera / name).write_bytes(kept.content)
    return {**record, "file": f"{camera}/{name}", "answer": kept.answer}


def _plain(text: str) -> str:
    """Part of a file's name, whatever a camera called it."""
    return _UNSAFE.sub("_", text).lstrip(".")[:80] or "_"
