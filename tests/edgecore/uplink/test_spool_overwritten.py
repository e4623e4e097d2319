"""A backup copied over the spool's open file: it is found, and new numbers begin above the old."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from edgecore.uplink.spool_store import SpoolStore


def put(store: SpoolStore, *numbers: int) -> None:
    assert store.commit([("t", b"%d" % n) for n in numbers]) == [None] * len(numbers)


def waiting(store: SpoolStore) -> list[int]:
    return [int(message.payload) for message in store.peek(1_000, 1 << 20)]


def backup_of(path: Path) -> bytes:
    """What SQLite's own backup makes of it: one file, without a log."""
    kept = path.with_name("backup")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(kept)) as target:
        source.backup(target)
    return kept.read_bytes()


def test_what_was_acknowledged_since_the_backup_does_not_count_for_what_is_put_after_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.sqlite3"
    store = SpoolStore(path, max_bytes=1 << 20, policy="drop_oldest")
    put(store, 1, 2)
    backup = backup_of(path)
    put(store, 3, 4, 5)
    last = store.peek(1_000, 1 << 20)[-1]
    assert store.commit([], ack=last.id) == []
    with path.open("r+b") as file:
        file.truncate()
        file.write(backup)

    put(store, 6, 7)

    assert waiting(store) == [6, 7]
    assert store.peek(1_000, 1 << 20)[0].id > last.id
    assert store.salvage is not None
    assert store.salvage.kept.read_bytes() == backup
    store.close()


def test_a_start_after_it_has_what_the_backup_had_and_what_came_since_is_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.sqlite3"
    store = SpoolStore(path, max_bytes=1 << 20, policy="drop_oldest")
    put(store, 1, 2)
    backup = backup_of(path)
    put(store, 3)
    with path.open("r+b") as file:
        file.truncate()
        file.write(backup)
    put(store, 4)
    assert store.account.dropped["damaged"] == 1  # 3 was in the log only, which is kept aside
    store.close()

    again = SpoolStore(path, max_bytes=1 << 20, policy="drop_oldest")

    assert waiting(again) == [1, 2, 4]
    again.close()
