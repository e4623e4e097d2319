"""What is shown of a result record."""

from __future__ import annotations

from typing import Any

#: Printed on stderr once nothing that is published from now on can be missed.
LISTENING = "listening for results"


def line_of(record: dict[str, Any]) -> str:
    """One record in one line: stream, number, id, what was found, by whom, how long."""
    head = f"{record.get('stream', '?'):<8} {record.get('seq', 0):>6}  "
    if record.get("status") == "gap":
        return head + "gap: no result in time; it will follow late or as failed"
    if record.get("status") != "ok":
        return f"{head}{record.get('id')}  {record['status']}: {record.get('reason')}"
    model, spent = record.get("model") or {}, record.get("ms") or {}
    return (
        f"{head}{found(record):<34} {record.get('worker', ''):<5}"
        f" {model.get('name', '')} {model.get('version', '')}"
        f"  {spent.get('transform', 0):.1f} + {spent.get('inference', 0):.1f} ms"
    )


def found(record: dict[str, Any]) -> str:
    """The best label or the number of boxes."""
    answer = record.get("output") or {}
    if top := answer.get("top"):
        return f"{top[0]['label']} {top[0]['score']:.1%}"
    if "boxes" in answer:
        labels = ", ".join(sorted({box["label"] for box in answer["boxes"]}))
        return f"{len(answer['boxes'])} boxes {labels}".strip()
    return "–"
