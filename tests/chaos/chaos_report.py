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


def table(runs: Iterable[Mapping[str, Any]], earlier: str = "") -> str:
    """The machines of the runs in a line, one row per fault, then what else was measured.

    ``earlier``: the table so far; its rows of faults that ``runs`` has not stay.
    """
    ran = list(runs)
    machines = {_machine(run["machine"]) for run in ran} | _machines_of(earlier)
    rows = _rows_of(earlier, HEAD) | {str(run["fault"]): _row(run) for run in ran}
    noted = {str(run["fault"]): _figures(run) for run in ran if run.get("notes")}
    figures = _rows_of(earlier, FIGURES) | noted
    images = sum(int(row.split("|")[3]) for row in rows.values())
    counted = f"{len(rows)} kinds of fault, {images:,} images.\n\n"
    beside = FIGURES + "".join(figures[name] for name in sorted(figures)) if figures else ""
    body = "".join(rows[name] for name in sorted(rows))
    return f"{'; '.join(sorted(machines))}.\n\n{counted}{HEAD}{body}{beside}"


def _machines_of(earlier: str) -> set[str]:
    line = earlier.strip().partition("\n")[0]
    return {each.strip() for each in line.rstrip(".").split(";") if each.strip()}


def _rows_of(earlier: str, head: str) -> dict[str, str]:
    """The rows below ``head``, by fault."""
    _, _, below = earlier.partition(head.strip("\n") + "\n")
    rows = (line for line in below.partition("\n\n")[0].splitlines() if line.startswith("| "))
    return {line.split("|")[1].strip(): line + "\n" for line in rows}


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


def _inside(page: str) -> str:
    return page.partition(BEGIN)[2].partition(END)[0]


def main() -> int:
    runs = [json.loads(path.read_text()) for path in VERDICTS.glob("*.json")]
    if not runs:
        sys.stderr.write("no verdicts below build/chaos: run `pytest tests/chaos` first\n")
        return 3
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(between(page, table(runs, _inside(page))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
