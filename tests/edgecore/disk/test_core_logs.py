"""Logs are capped on disk, and read from the end and as they grow, over rotations."""

from __future__ import annotations

from pathlib import Path

from edgecore.disk.logs import MAX_LINE_BYTES, MAX_READ_BYTES, Tail, last_lines, names
from edgecore.supervisor.logfiles import LogFile

SPACE = 16_384


def numbered(n: int) -> bytes:
    return f"{n:06d} {'x' * 93}\n".encode()


def test_a_log_never_takes_more_than_its_space_however_much_is_written(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "w0.log", SPACE)
    for n in range(1000):
        log.write(numbered(n))
        assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= SPACE
    log.close()

    assert sorted(p.name for p in tmp_path.iterdir()) == ["w0.log", "w0.log.1"]
    assert last_lines(tmp_path / "w0.log", 1) == [numbered(999).decode().strip()]


def test_a_function_that_said_nothing_has_an_empty_log(tmp_path: Path) -> None:
    LogFile(tmp_path / "logs" / "splitter.log")

    assert names(tmp_path / "logs") == ["splitter"]
    assert last_lines(tmp_path / "logs" / "splitter.log", 10) == []


def test_the_last_lines_reach_into_the_file_before_a_rotation(tmp_path: Path) -> None:
    (tmp_path / "w0.log.1").write_bytes(b"".join(numbered(n) for n in range(100)))
    (tmp_path / "w0.log").write_bytes(numbered(100))

    assert [int(line[:6]) for line in last_lines(tmp_path / "w0.log", 5)] == [96, 97, 98, 99, 100]


def test_a_tail_gives_each_line_once_and_in_order_over_rotations(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "w0.log", SPACE)
    tail = Tail(tmp_path / "w0.log")
    seen: list[str] = []
    for n in range(500):
        log.write(numbered(n))
        if n % 20 == 0:
            seen += tail.lines()
    seen += tail.lines()

    assert [int(line[:6]) for line in seen] == list(range(500))


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "w0.log"
    path.touch()
    tail = Tail(path)
    with path.open("ab", buffering=0) as log:
        log.write(b"half")
        assert tail.lines() == []
        log.write(b" and half\n")
    assert tail.lines() == ["half and half"]


def test_of_a_flood_without_line_ends_only_a_bounded_part_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "w0.log"
    path.touch()
    tail = Tail(path)
    path.write_bytes(b"y" * (2 * MAX_READ_BYTES))

    [line] = tail.lines()
    assert len(line) == MAX_LINE_BYTES
    assert tail.lines() == []
