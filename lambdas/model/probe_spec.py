"""`probes` of model.json: pictures of the package and what the network has to say about them.

    "probes": [{"file": "probes/1.jpg", "expect": {"top": [{"index": 3, "score": 0.91}]},
                "tolerance": {"score": 0.05, "box": 0.02}}]

Pure and standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lambdas.model.errors import ModelError
from lambdas.model.fields import MANIFEST, Fields

MAX_PROBES = 32
#: How far scores and corners (as fractions of the picture) may be off: another runtime,
#: another CPU and the fast JPEG decoding differ by less on photographs.
SCORE_TOLERANCE = 0.1
BOX_TOLERANCE = 0.03


@dataclass(frozen=True)
class Probe:
    """`expect` is `output` of a result, or the part of it that matters."""

    file: str
    expect: dict[str, Any]
    score_tolerance: float = SCORE_TOLERANCE
    box_tolerance: float = BOX_TOLERANCE


def read_probes(document: Any, files: dict[str, str]) -> tuple[Probe, ...]:
    """Raises `ModelError` with the first thing that is wrong."""
    if not isinstance(document, list) or len(document) > MAX_PROBES:
        raise ModelError(f"{MANIFEST}: probes is no list of up to {MAX_PROBES} pictures")
    return tuple(_probe(entry, number, files) for number, entry in enumerate(document))


def _probe(document: Any, number: int, files: dict[str, str]) -> Probe:
    fields = Fields(document, f"probes[{number}]", ("file", "expect", "tolerance"))
    name = fields.raw("file")
    if name not in files:
        raise fields.fault("file", "a probe's picture has to be one of `files`")
    known = ("top", "boxes", "classes", "anomalous", "score", "size")
    fields.object("expect", (*known, "share", "threshold", "more", "mask", "pixel_threshold"))
    expect = fields.mapping("expect")
    if not any(key in expect for key in known):
        raise fields.fault("expect", f"use one of {', '.join(known)}, as a result's `output`")
    tolerance = fields.object("tolerance", ("score", "box"), {})
    return Probe(
        str(name),
        expect,
        tolerance.number("score", SCORE_TOLERANCE, 0.0, 1.0),
        tolerance.number("box", BOX_TOLERANCE, 0.0, 1.0),
    )
