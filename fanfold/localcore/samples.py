"""Kept live images: what a core says of them, and their files elsewhere for labelling."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.image_kinds import HEAD_BYTES, kind_of
from contract.status import Status
from edgecore.core.stats import mapping
from edgecore.history.query import Query
from edgecore.history.reader import Kept, Reader
from edgecore.history.text import visible
from replay.place import Place

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


def write_samples(reader: Reader, query: Query, store: Place) -> tuple[int, int]:
    """Every kept image that is found, its record beside it; how many, and how many are new there.

    A name has the picture's hash, so what is there already is the same and stays.
    """
    found = new = 0
    for page in reader.pages(query):
        for record in page:
            kept = reader.sample(record["number"])
            if kept is not None:  # it may have gone with the oldest meanwhile
                found += 1
                new += _write_one(store, record, kept)
    return found, new


def _write_one(store: Place, record: Mapping[str, Any], kept: Kept) -> bool:
    kind = kind_of(kept.content[:HEAD_BYTES])
    digest = hashlib.sha256(kept.content).hexdigest()
    stem = f"{_plain(record['camera'])}/{record['number']:09d}-{_plain(Path(record['name']).stem)}"
    stem = f"{stem}-{digest[:8]}"
    name = f"{stem}{kind.suffix if kind else ''}"
    new = store.write_once(name, kept.content)
    line = {**record, "file": name, "answer": kept.answer}
    store.write_once(f"{stem}.json", json.dumps(line).encode() + b"\n")
    return new


def _plain(text: str) -> str:
    """Part of a file's name, whatever a camera called it."""
    return _UNSAFE.sub("_", text).lstrip(".")[:80] or "_"
