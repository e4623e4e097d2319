"""Clock jumps, full quotas, damage, floods and hostile words: the history bends and says so."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from histories import SITE, T0, failed, message, record, recorder, write
from small_disks import fill, small_disk_at

from edgecore.core.observers import Message
from edgecore.history.export import csv_lines, json_lines
from edgecore.history.observer import MAX_MESSAGES, ResultsObserver
from edgecore.history.query import Query
from edgecore.history.reader import Reader
from edgecore.history.retention import MOST_OFF_S, Limits, Retention, age_after
from edgecore.history.rows import rows_of
from edgecore.history.schema import file_of, open_for_writing
from edgecore.history.settings import Settings
from edgecore.history.store import Batch, Store
from edgecore.history.string_table import MAX_WORDS

DAY_S = 86_400.0
UTC = Settings(time_zone="UTC").zone


def names(state: Path) -> list[str]:
    return [r["name"] for r in Reader(file_of(state)).search(Query(limit=1000)).records]


def filled(path: Path, days: list[tuple[float, float]]) -> tuple[Store, Retention]:
    """One image each: the history's age and the wall clock, both in days."""
    connection = open_for_writing(path, 64 << 20).connection
    store, retention = Store(connection), Retention(connection)
    for seq, (age, wall) in enumerate(days, 1):
        retention.mark(age * DAY_S)
        rows = rows_of(message([record(seq)]).payload, T0 + wall * DAY_S, frozenset())
        store.add(Batch(rows=rows))
        retention.mark((age + 0.1) * DAY_S)
    return store, retention


def left(path: Path) -> list[int]:
    return [r["seq"] for r in Reader(path).search(Query()).records][::-1]


LIMITS = Limits(keep_s=30 * DAY_S, max_bytes=64 << 20, pictures_bytes=0, samples_bytes=0)


def test_what_is_older_than_its_time_is_forgotten_and_its_counts_stay(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    _, retention = filled(path, [(0, 0), (1, 1), (40, 40)])
    while retention.step(41 * DAY_S, LIMITS):
        pass

    assert left(path) == [3]
    assert sum(t["ok"] for t in Reader(path).totals().values()) == 3


def test_a_clock_that_jumps_ten_years_ahead_and_back_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    _, retention = filled(path, [(0, 0), (1, 3650), (2, 3651), (3, 3)])
    while retention.step(3 * DAY_S, LIMITS):
        pass

    assert sorted(left(path)) == [1, 2, 3, 4]


def test_the_charts_of_a_clock_that_was_set_back_are_kept_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    store, _ = filled(path, [])
    for minute in range(600):
        store.add(Batch(points=[(1, [T0 + 7200 + minute, 1.0]), (10, [T0 + 7200 + minute, 1.0])]))
    for second in (10, 20):
        store.add(Batch(points=[(1, [T0 + second, 2.0]), (10, [T0 + second, 2.0])]))

    assert Reader(path).points(1) == [[T0 + 10, 2.0], [T0 + 20, 2.0]]
    assert Reader(path).points(10) == [[T0 + 10, 2.0], [T0 + 20, 2.0]]


def test_rows_of_a_clock_in_1970_are_kept_as_long_as_others(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    _, retention = filled(path, [(0, -20_000), (1, 0), (32, 31)])
    while retention.step(30.5 * DAY_S, LIMITS):
        pass
    kept = sorted(left(path))
    while retention.step(33 * DAY_S, LIMITS):
        pass

    assert kept == [2, 3]
    assert left(path) == [3]


@pytest.mark.parametrize(
    ("ended", "now", "added"),
    [(None, T0, 0.0), (T0, T0 + 60, 60.0), (T0, T0 - 1e9, 0.0), (T0, T0 + 1e9, MOST_OFF_S)],
)
def test_time_without_a_core_counts_for_a_day_at_most(
    ended: float | None, now: float, added: float
) -> None:
    assert age_after(1000.0, ended, now) == 1000.0 + added


def test_a_full_quota_makes_room_by_forgetting_the_oldest(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    connection = open_for_writing(path, 4 << 20).connection
    store, retention = Store(connection), Retention(connection)
    limits = Limits(keep_s=9e9, max_bytes=4 << 20, pictures_bytes=0, samples_bytes=0)
    for n in range(60):
        records = [record(n * 500 + i, detail="x" * 100) for i in range(500)]
        store.add(Batch(rows=rows_of(message(records).payload, T0 + n, frozenset())))
        while retention.step(0.0, limits):
            pass
    newest = Reader(path).search(Query(limit=1)).records[0]["seq"]

    assert newest == 29_999
    assert 0 < retention.forgotten < 30_000
    assert path.stat().st_size <= 4 << 20


def test_a_record_that_is_sent_again_is_one_row_also_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, message([record(1), record(2)]), message([record(2)]))
    made = write(tmp_path, message([record(2), record(3)]))

    assert len(names(tmp_path)) == 3
    assert made.status()["repeated"] == 1


def test_a_writer_that_is_behind_drops_counts_and_never_waits() -> None:
    observer = ResultsObserver((f"{SITE}/results/",))
    many = message([record(1), record(2)])
    for _ in range(MAX_MESSAGES + 10):
        observer.offer(many)

    assert observer.dropped_rows == 20
    assert len(observer.take(10**9)) == MAX_MESSAGES


def test_messages_that_are_no_results_are_counted_and_the_others_stay(tmp_path: Path) -> None:
    topic = f"{SITE}/results/cam1"
    bad = [b"{", b"[]", b'{"results":7}', b'{"results":[{"status":"ok"}]}', b"\xff", b"[" * 9000,
        b'{"results":[{"status":"ok","seq":1e400}]}', b'{"results":[{"status":"ok","seq":-1}]}'
    ]  # fmt: skip
    made = write(
        tmp_path, *(Message(t=T0, topic=topic, payload=p) for p in bad), message([record(1)])
    )

    assert made.status()["unreadable"] == len(bad)
    assert made.status()["written"] == 1


HOSTILE = [
    '=HYPERLINK("http://evil/","x")', "+1", "-1", "@SUM(A1)", "\t=1", '<img src=x onerror="x()">',
    "\x1b]0;title\x07\x1b[2J", "a\r\nb", "\u202eevil", "nul\0nul", "\ud800", "x" * 5000,
    "ü 漢字 🙂",
]  # fmt: skip


def test_hostile_words_are_kept_searched_and_never_obeyed(tmp_path: Path) -> None:
    records = [
        record(n, label, name=label, job=label, worker=label) for n, label in enumerate(HOSTILE)
    ]
    write(tmp_path, message([*records, failed(99, "\x1b[31m", name="\x1b[2Jx.jpg")]))
    found = Reader(file_of(tmp_path)).search(Query(limit=100)).records
    text = csv_lines(found, UTC)
    cells = [c for row in csv.reader(io.StringIO(text)) for c in row]

    assert len(found) == len(HOSTILE) + 1
    assert not [c for c in cells if c.startswith(("=", "+", "@", "\t", "\r", "-1"))]
    assert all(c.isprintable() for c in cells)
    assert "\x1b" not in json_lines(found)
    for label in HOSTILE[:6]:
        assert len(Reader(file_of(tmp_path)).search(Query(label=label)).records) == 1


def test_a_model_that_reads_numbers_does_not_fill_the_disk_with_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecore.history.string_table.MAX_WORDS", 300)
    write(tmp_path, message([record(n, f"serial-{n}") for n in range(1000)]))
    labels = Reader(file_of(tmp_path)).labels(T0 - 9, T0 + 9)
    connection = sqlite3.connect(file_of(tmp_path))
    words = connection.execute("SELECT count(*) FROM words").fetchone()[0]
    connection.close()

    assert MAX_WORDS > 300
    assert words <= 302
    assert labels[0]["label"].startswith("(other")
    assert sum(x["images"] for x in labels) == 1000


def test_words_and_marks_of_what_is_gone_go_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecore.history.retention.MAX_WORDS", 2)
    path = tmp_path / "h.sqlite3"
    _, retention = filled(path, [(0, 0), (1, 1), (40, 40)])
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO words(text) VALUES('nobody')")
    connection.commit()
    while retention.step(41 * DAY_S, LIMITS):
        pass
    retention.sweep()
    words = {w for (w,) in connection.execute("SELECT text FROM words")}
    marks = connection.execute("SELECT count(*) FROM marks").fetchone()[0]
    connection.close()

    assert "nobody" not in words
    assert {"cam1", "good"} <= words
    assert 1 <= marks <= 2


def test_a_damaged_file_is_set_aside_and_the_history_goes_on(tmp_path: Path) -> None:
    write(tmp_path, message([record(n) for n in range(500)]))
    path = file_of(tmp_path)
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xaa" * 4096 * 4)
    write(tmp_path, message([record(9_000)]))
    events = Reader(path).events()

    assert "part-009000.jpg" in names(tmp_path)
    assert [e for e in events if e["kind"] == "history" and "damaged" in e["text"]]


def test_a_place_that_cannot_be_written_is_said_and_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file where the folder should be")
    made = recorder(tmp_path)
    made.start()
    made.observer.offer(message([record(1)]))
    made.close()

    assert "history" in str(made.status()["problem"])


def test_a_clock_that_is_set_is_an_event(tmp_path: Path) -> None:
    clock = [T0]
    made = recorder(tmp_path, wall=lambda: clock[0])
    made.start()
    made.observer.offer(message([record(1)]))
    wait_for(lambda: made.status()["written"])
    clock[0] += 86_400
    wait_for(lambda: [e for e in Reader(file_of(tmp_path)).events() if e["kind"] == "clock"])
    made.close()

    (set_ahead,) = Reader(file_of(tmp_path)).events(kind="clock")

    assert set_ahead["text"].startswith("was set +86")


def wait_for(check: Any) -> None:
    from waiting import eventually

    eventually(check, "it happens", 20.0)


def test_a_full_disk_costs_rows_that_are_counted_until_there_is_room(tmp_path: Path) -> None:
    with small_disk_at(tmp_path / "disk", 3) as disk:
        made = recorder(disk)
        made.start()
        made.observer.offer(message([record(1)]))
        wait_for(lambda: made.status()["written"])
        fill(disk)
        made.observer.offer(message([record(n, detail="d" * 400) for n in range(2, 3000)]))
        wait_for(lambda: made.status()["dropped_by_reason"].get("disk full"))
        assert "full" in str(made.status()["problem"])
        (disk / "other").unlink()
        made.observer.offer(message([record(9_000)]))
        wait_for(lambda: made.status()["problem"] is None)
        made.close()
        found = Reader(file_of(disk)).search(Query(limit=1)).records

    assert found[0]["seq"] == 9_000
