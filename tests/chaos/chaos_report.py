"""Writes the table of docs/reliability.md from the verdicts that `pytest tests/chaos` leaves.

pytest tests/chaos; python tests/chaos/chaos_report.py
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
VERDICTS = ROOT / "build" / "chaos"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD = """\
| fault | runs | images | lost | twice | out of order | wrong content | gaps | recovery p50/max, s |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
"""
COUNTS = (
    "fault", "runs", "images", "lost", "duplicates", "out_of_order", "wrong_content", "gaps",
)  # fmt: skip
FIGURES = """
| fault | measured beside it |
| --- | --- |
"""


def table(runs: Iterable[Mapping[str, Any]]) -> str:
    """The machines of the runs in a line, one row per fault, then what else was measured."""
    ordered = sorted(runs, key=lambda run: str(run["fault"]))
    machines = sorted({_machine(run["machine"]) for run in ordered})
    noted = [run for run in ordered if run.get("notes")]
    figures = FIGURES + "".join(map(_figures, noted)) if noted else ""
    return "; ".join(machines) + ".\n\n" + HEAD + "".join(map(_row, ordered)) + figures


def _machine(found: Mapping[str, Any]) -> str:
    return (
        f"{found['date']}, {found['processor']}, {found['cores']} cores, "
        f"{found['memory_gib']} GiB, Linux {found['kernel']}, Python {found['python']}"
    )


def _row(run: Mapping[str, Any]) -> str:
    cells = [*(run[count] for count in COUNTS), _recovery(run["recovery_s"])]
    return f"| {' | '.join(map(str, cells))} |\n"


def _figures(run: Mapping[str, Any]) -> str:
    figures = ", ".join(f"{name} {value}" for name, value in run["notes"].items())
    return f"| {run['fault']} | {figures} |\n"


def _recovery(times_s: Sequence[float]) -> str:
    if not times_s:
        return ""
    return f"{statistics.median(times_s):.1f} / {max(times_s):.1f} (n={len(times_s)})"


def between(page: str, text: str) -> str:
    """``page`` with ``text`` between its two marks. Raises ValueError where one is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN} … {END}; put them where the table belongs")
    return f"{before}{BEGIN}\n{text}{END}{after}"


def main() -> int:
    runs = [json.loads(path.read_text()) for path in VERDICTS.glob("*.json")]
    if not runs:
        sys.stderr.write("no verdicts below build/chaos: run `pytest tests/chaos` first\n")
        return 3
    PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), table(runs)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
