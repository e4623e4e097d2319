"""The history as files for a spreadsheet (CSV) and for programs (JSON Lines). Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from edgecore.history.query import zone_now
from edgecore.history.text import cell

COLUMNS = ("time", "t", "camera", "seq", "status", "name", "label", "score", "defect", "labels",
    "job", "reason", "detail", "worker", "model", "ms", "folder", "id", "sample")  # fmt: skip
COUNT_COLUMNS = ("period", "camera", "images", "ok", "failed", "dropped", "defects", "defect_rate")
BOM = "\ufeff"
"""With it Excel reads UTF-8."""


def csv_head(columns: Sequence[str] = COLUMNS) -> str:
    return BOM + ",".join(columns) + "\r\n"


def csv_lines(records: Sequence[Mapping[str, Any]], zone: tzinfo) -> str:
    """Lines of ``COLUMNS``; text is safe in a spreadsheet."""
    return _lines(
        {
            **record,
            "time": zone_now(zone, record["t"]),
            "defect": int(record["defect"]),
            "labels": "; ".join(_label(x) for x in record["labels"]),
        }
        for record in records
    )


def _label(found: Mapping[str, Any]) -> str:
    score = "" if found["score"] is None else f" {found['score']:.3f}"
    return f"{found['label']}{score}" + (f" x{found['count']}" if found["count"] > 1 else "")


def _lines(rows: Any, columns: Sequence[str] = COLUMNS) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([cell(row[column]) for column in columns])
    return out.getvalue()


def csv_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """With its head; of each row these columns."""
    return csv_head(columns) + _lines(rows, columns)


def csv_counts(counts: Sequence[Mapping[str, Any]]) -> str:
    return csv_table(counts, COUNT_COLUMNS)


def json_lines(records: Sequence[Mapping[str, Any]]) -> str:
    """One record a line; what is no ASCII is escaped, so that no terminal obeys it."""
    return "".join(json.dumps(record) + "\n" for record in records)
