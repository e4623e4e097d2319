"""What is shown of a result record."""

from __future__ import annotations

import datetime as dt
from typing import Any

#: Printed on stderr once nothing that is published from now on can be missed.
LISTENING = "listening for results"


def line_of(record: dict[str, Any]) -> str:
    """One record in one line: time, stream, number, what was found, worker, times, file."""
    head = f"{_clock(record)}  {record.get('stream', '?'):<8} {record.get('seq', 0):>6}  "
    if record.get("status") == "gap":
        return head + "gap: no result in time; it will follow late or as failed"
    if record.get("status") != "ok":
        detail = f": {record['detail']}" if record.get("detail") else ""
        return f"{head}{name_of(record)}  {record['status']}: {record.get('reason')}{detail}"
    model, spent = record.get("model") or {}, record.get("ms") or {}
    return (
        f"{head}{found(record):<34} {record.get('worker', ''):<5}"
        f" {model.get('name', '')} {model.get('version', '')}"
        f"  {spent.get('transform', 0):.1f} + {spent.get('inference', 0):.1f} ms"
        f"  {name_of(record)}"
    )


def name_of(record: dict[str, Any]) -> str:
    """The file as its camera named it, else the image's id."""
    return str(record.get("file") or record.get("id"))


def _clock(record: dict[str, Any]) -> str:
    """When the image was accepted, by this machine's clock."""
    t_in = record.get("t_in")
    if not isinstance(t_in, int | float):
        return "--:--:--"
    return f"{dt.datetime.fromtimestamp(t_in).astimezone():%H:%M:%S}"


def found(record: dict[str, Any]) -> str:
    """The best label or the number of boxes."""
    answer = record.get("output") or {}
    if top := answer.get("top"):
        return f"{top[0]['label']} {top[0]['score']:.1%}"
    if "boxes" in answer:
        labels = ", ".join(sorted({box["label"] for box in answer["boxes"]}))
        return f"{len(answer['boxes'])} boxes {labels}".strip()
    return "–"
