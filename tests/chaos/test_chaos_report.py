"""The table says what the verdicts say."""

from __future__ import annotations

import pytest
from chaos_report import BEGIN, END, between, table

MACHINE = {
    "date": "2026-01-02", "processor": "P", "cores": 2, "memory_gib": 8.0,
    "kernel": "6", "python": "3.11",
}  # fmt: skip
RUN = {
    "fault": "core killed", "runs": 5, "images": 7, "lost": 1, "duplicates": 2,
    "out_of_order": 3, "wrong_content": 4, "gaps": 6, "recovery_s": [1.0, 2.0, 9.0],
    "notes": {"rss_growth_kb": 12}, "machine": MACHINE,
}  # fmt: skip


def test_a_row_has_every_count_and_the_median_and_worst_recovery() -> None:
    assert "| core killed | 5 | 7 | 1 | 2 | 3 | 4 | 6 | 2.0 / 9.0 (n=3) |\n" in table([RUN])


def test_what_was_measured_besides_has_a_table_of_its_own() -> None:
    assert "| core killed | rss_growth_kb 12 |\n" in table([RUN])


def test_rows_of_earlier_runs_stay_and_the_images_of_all_are_counted() -> None:
    earlier = table([RUN, {**RUN, "fault": "disk full", "images": 1_000}])
    later = {**RUN, "runs": 50, "images": 9, "machine": {**MACHINE, "date": "2026-02-02"}}
    found = table([later], earlier)

    assert "| core killed | 50 | 9 |" in found
    assert "| disk full | 5 | 1000 |" in found
    assert found.count("| disk full | rss_growth_kb 12 |\n") == 1
    assert "2 kinds of fault, 1,009 images.\n" in found
    assert found.startswith("2026-01-02, P, 2 cores, 8.0 GiB, Linux 6, Python 3.11; 2026-02-02")
    assert table([], found) == found


def test_only_what_is_between_the_marks_is_replaced() -> None:
    assert between(f"a{BEGIN}old{END}z", "new\n") == f"a{BEGIN}\nnew\n{END}z"


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="has no"):
        between("a page", "new")
