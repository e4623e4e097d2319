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
| fault | images | lost | duplicates | out of order | wrong file | recovery p50 / max, s |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
"""


def table(runs: Iterable[Mapping[str, Any]]) -> str:
    """The machines of the runs in a line, then one row per fault."""
    ordered = sorted(runs, key=lambda run: str(run["fault"]))
    machines = sorted({_machine(run["machine"]) for run in ordered})
    return "; ".join(machines) + ". One run of each.\n\n" + HEAD + "".join(map(_row, ordered))


def _machine(found: Mapping[str, Any]) -> str:
    return (
        f"{found['date']}, {found['processor']}, {found['cores']} cores, "
        f"{found['memory_gib']} GiB, Linux {found['kernel']}, Python {found['python']}"
    )


def _row(run: Mapping[str, Any]) -> str:
    cells = [run[k] for k in ("fault", "images", "lost", "duplicates", "out_of_order")]
    cells += [run["wrong_file"], _recovery(run["recovery_s"])]
    return f"| {' | '.join(map(str, cells))} |\n"


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
