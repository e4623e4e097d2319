"""What the core says of its own memory, and does about it."""

from __future__ import annotations

import os
from pathlib import Path

from edgecore.daemon.own_memory import MOST_KB, TRIM_EVERY_S, OwnMemory


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_own_memory_is_shown_and_said_once_it_is_beyond_its_bound(tmp_path: Path) -> None:
    statm, page_kb = tmp_path / "statm", os.sysconf("SC_PAGE_SIZE") // 1024
    memory = OwnMemory(statm=statm)
    statm.write_text(f"99999 {MOST_KB // page_kb} 5 1 0 9 0\n")
    memory.look()
    assert (memory.rss_kb, memory.findings()) == (MOST_KB, [])
    statm.write_text(f"999999 {MOST_KB // page_kb + 1} 5 1 0 9 0\n")
    memory.look()
    [said] = memory.findings()
    assert "400 MB" in said
    assert "restart" in said
    statm.write_text(f"999999 {MOST_KB // page_kb + 9999} 5 1 0 9 0\n")
    memory.look()
    assert memory.findings() == [said]


def test_what_bursts_left_is_given_back_once_a_minute() -> None:
    trims, clock = [], Clock()
    memory = OwnMemory(clock, lambda: trims.append(clock.now))
    for clock.now in range(0, 3 * int(TRIM_EVERY_S) + 1, 5):
        memory.look()
    assert trims == [TRIM_EVERY_S, 2 * TRIM_EVERY_S, 3 * TRIM_EVERY_S]
    assert memory.rss_kb > 1000


def test_where_the_figure_cannot_be_read_the_last_one_stays(tmp_path: Path) -> None:
    """No descriptor is left, say: what else is looked at in the same round goes on."""
    statm = tmp_path / "statm"
    memory = OwnMemory(statm=statm)
    statm.write_text("99 25 5 1 0 9 0\n")
    memory.look()
    before = memory.rss_kb
    statm.unlink()
    memory.look()
    assert memory.rss_kb == before > 0
