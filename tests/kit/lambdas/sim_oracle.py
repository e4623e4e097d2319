"""The far side of a simulation, judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CLEAN = {"missing": 0, "duplicates": 0, "conflicts": 0, "order": 0, "content": 0}


def verdict(
    accepted: Mapping[tuple[str, str], tuple[int, int]], records: Iterable[dict[str, Any]]
) -> dict[str, int]:
    """What ``records`` are missing, have twice under different content, or out of order.

    ``accepted``: by camera and event's id, its first number and how many images.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    report = {"missing": 0, "duplicates": 0, "conflicts": 0, "order": 0, "content": 0}
    highest: dict[str, int] = {}
    gaps: set[tuple[str, int]] = set()
    for record in records:
        key = (record["epoch"], record["stream"], record["seq"])
        if record["status"] == "gap":
            gaps.add(key)
        elif key in found:
            report["duplicates"] += 1
            report["conflicts"] += found[key].get("id") != record.get("id")
            continue
        else:
            found[key] = record
            if key in gaps:
                continue
        report["order"] += record["seq"] <= highest.get(record["stream"], 0)
        highest[record["stream"]] = max(highest.get(record["stream"], 0), record["seq"])
    by_number = {key[1:]: record for key, record in found.items()}
    report["duplicates"] += len(found) - len(by_number)
    for (camera, event_id), (first, count) in accepted.items():
        for seq in range(first, first + count):
            record = by_number.get((camera, seq))
            if record is None:
                report["missing"] += 1
            elif record.get("reason") == "journal_lost":
                continue
            elif record["id"] not in (event_id, f"{event_id}/{seq - first}"):
                report["content"] += 1
            elif record["status"] == "ok":
                label = record["output"]["top"][0]["label"]
                report["content"] += label != f"label of {record['id']}"
    return report
