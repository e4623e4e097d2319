"""Reading stats that came over a topic: any publisher may have written them.

Whatever is not of the shape that docs/spec/messages.md gives is read as absent, so that a
stray message on ``…/stats`` costs its own numbers and not the page, ``/metrics`` or ``/ready``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from contract.status import Status

MAX_CAMERAS = 256
DRAINED = ("draining", "drained")


def mapping(value: object) -> Mapping[str, Any]:
    """``value`` if it is an object, else an empty one."""
    # dict by name: asking the abstract class costs half a microsecond, for every image
    return value if isinstance(value, dict | Mapping) else {}


def number(value: object) -> float | None:
    """``value`` if it is a finite number, else None; true and false are no numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None


def numbers(value: object) -> dict[str, float]:
    """The entries of an object that are numbers."""
    found = ((str(k), number(v)) for k, v in mapping(value).items())
    return {k: v for k, v in found if v is not None}


def part(status: Status, name: str) -> Mapping[str, Any]:
    """The last stats of ``splitter`` or ``aggregator``; empty while there are none."""
    return mapping(mapping(status.get("stats")).get(name))


def workers(status: Status) -> dict[str, Mapping[str, Any]]:
    """The splitter's view of its workers, by name."""
    reported = mapping(part(status, "splitter").get("workers"))
    return {str(name): w for name, w in reported.items() if isinstance(w, Mapping)}


def fetched_cameras(status: Status) -> list[dict[str, Any]]:
    """What the grabber says of each camera that it fetches pictures from, with its ``name``."""
    cameras = mapping(part(status, "grabber").get("cameras"))
    return [
        {"name": str(name), **camera}
        for name, camera in sorted(cameras.items())[:MAX_CAMERAS]
        if isinstance(camera, Mapping)
    ]


def is_drained(worker: Mapping[str, Any]) -> bool:
    """An operator's wish. A splitter deployed before it reported that shows it in the state alone,
    and then not of a worker that does not answer."""
    return bool(worker.get("drained", worker.get("state") in DRAINED))


def all_drained(status: Status) -> bool:
    """Nobody is to inspect anything: what waits then waits by an operator's wish."""
    known = workers(status).values()
    return bool(known) and all(worker.get("state") in DRAINED for worker in known)


def model_name(model: object) -> str:
    """``lite0 1.0.0``; empty without a model."""
    known = mapping(model)
    return f"{known.get('name', '')} {known.get('version', '')}".strip()
