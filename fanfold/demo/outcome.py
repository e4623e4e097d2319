"""What the demo shows and how it judges itself; pure but for reading the photographs' names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from fanfold.sending.records import found

Record = dict[str, Any]


def judge(
    runs: list[list[Record]],
    images: int,
    groups: tuple[str, str],
    landed: set[tuple[str, int]],
) -> dict[str, Any]:
    """Counts over all runs (`images` each): results, lost, duplicates, out of order, versions.

    The first run is before the model changed, all others are after.
    """
    records = [record for run in runs for record in run]
    keys = [(r["stream"], r["seq"]) for r in records]
    before, after = versions(runs[0]), versions([r for run in runs[1:] for r in run])
    return {
        "v": 1,
        "images": images * len(runs),
        "results": len(records),
        "lost": images * len(runs) - len(set(keys)),
        "duplicates": len(keys) - len(set(keys)),
        "out_of_order": out_of_order(records),
        "not_in_cloud": len(set(keys) - landed),
        "model_before": before,
        "model_after": after,
        "group_id_before": groups[0],
        "group_id_after": groups[1],
    }


def complaints(outcome: dict[str, Any]) -> list[str]:
    """What is wrong, in words; empty when the demo passed."""
    wrong = [
        f"{name.replace('_', ' ')}: {outcome[name]}"
        for name in ("lost", "duplicates", "out_of_order", "not_in_cloud")
        if outcome[name]
    ]
    if len(outcome["model_before"]) != 1 or len(outcome["model_after"]) != 1:
        wrong.append("one run was answered by two models")
    elif outcome["model_before"] == outcome["model_after"]:
        wrong.append(f"the model did not change: {outcome['model_before'][0]}")
    if not outcome["group_id_before"] or outcome["group_id_before"] != outcome["group_id_after"]:
        wrong.append("the group id changed")
    return wrong


def out_of_order(records: list[Record]) -> int:
    """Records that do not carry the number after their stream's last one."""
    last: dict[str, int] = {}
    wrong = 0
    for record in records:
        stream, number = record["stream"], record["seq"]
        wrong += stream in last and number != last[stream] + 1
        last[stream] = number
    return wrong


def versions(records: list[Record]) -> list[str]:
    return sorted({str((r.get("model") or {}).get("version")) for r in records})


def names_of(photos: Path) -> list[str]:
    """The photographs in the order in which `fanfold send` sends them."""
    return [f"{p.parent.name}/{p.name}" for p in sorted(photos.rglob("*.jpg"))]


def table_of(records: list[Record], names: list[str], rows: int) -> Table:
    """The first results of each stream: image, label, score, worker, latency, place in order."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("image", "found", "worker", "model", "latency", "order"):
        table.add_column(column, justify="right" if column in {"latency", "order"} else "left")
    shown: dict[str, int] = {}
    for record in records:
        stream = record["stream"]
        shown[stream] = shown.get(stream, 0) + 1
        if shown[stream] <= rows:
            table.add_row(*_row(record, names))
    return table


def _row(record: Record, names: list[str]) -> list[str]:
    number = str(record.get("id", "")).rpartition("-")[2]
    known = number.isdigit() and int(number) < len(names)
    spent = sum((record.get("ms") or {}).values())
    return [
        names[int(number)] if known else str(record.get("id")),
        found(record),
        str(record.get("worker", "")),
        str((record.get("model") or {}).get("version", "")),
        f"{spent:.0f} ms",
        f"{record['stream']} {record['seq']}",
    ]
