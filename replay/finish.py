"""The end of a replay: joined, compared, reported. Safe to repeat and to do twice at once."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from lambdas.model.spec import ModelSpec
from replay.compare import Comparison, Live, Parsed
from replay.join import join
from replay.page import page
from replay.place import Place
from replay.plan import Replay


def finish(replay: Replay, spec: ModelSpec, against: tuple[Place, Parsed] | None) -> dict[str, Any]:
    """Write the streams, `report.json` and `report.html`; returns the report."""
    live = Live()
    try:
        comparison = Comparison(live) if against else None
        if against:
            live.load(*against)
        joined = join(replay, comparison.add if comparison else lambda _: None)
    finally:
        live.close()
    plan, archive, store, folder = replay.plan, replay.archive, replay.store, replay.folder
    report: dict[str, Any] = {
        "v": 1,
        "replay": plan.name,
        "model": spec.identity,
        "archive": archive.url,
        "results": f"{store.url}/{folder}",
        "shards": plan.shards,
        **joined._asdict(),
        "made": round(time.time(), 3),
    }
    if comparison and against:
        report["against"] = {"results": against[0].url, **comparison.summary()}
    worst = comparison.worst if comparison else []
    _put(store, f"{folder}/report.json", json.dumps(report, indent=1) + "\n")
    _put(store, f"{folder}/report.html", page(report, worst, archive.read))
    return report


def _put(store: Place, name: str, text: str) -> None:
    with tempfile.TemporaryDirectory(prefix="fanfold-report-") as folder:
        path = Path(folder) / "file"
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
        store.put_file(name, path)
