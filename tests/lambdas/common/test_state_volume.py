"""A part whose folder cannot be opened waits in its process and says so, and then is there."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess

import pytest
from small_disks import small_disk_at

from contract import messages as m
from contract.durable.database import Format, open_database, transaction
from contract.durable.trouble import failing_of, is_trouble
from lambdas.common.bus import RecordingBus
from lambdas.common.loop import Message, Part
from lambdas.common.state_volume import TRY_EVERY_S, OpensLater, StateVolume, opened

FULL = sqlite3.OperationalError("database or disk is full")
READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS))


class Made(Part):
    def __init__(self):
        self.seen = []

    def step(self, messages, now, wall):
        self.seen += messages


def test_it_is_made_once_the_trouble_is_over_and_takes_messages_from_then_on(tmp_path):
    errors, made, bus = [READ_ONLY, FULL, FULL], Made(), RecordingBus()

    def make(now):
        if errors:
            raise errors.pop(0)
        return made

    part = opened("aggregator", str(tmp_path), make, 0.0, bus, "s/stats")
    assert isinstance(part, OpensLater)
    for second in range(4):
        part.step([Message("s/done", second)], second * TRY_EVERY_S, 0.0)
        part.step([], second * TRY_EVERY_S + 0.1, 0.0)

    assert [message.payload for message in made.seen] == [2, 3]
    said = [m.decode(payload) for _, payload in bus.sent]
    assert [stats["state_volume"]["detail"] for stats in said] == [str(FULL), str(FULL)]
    assert {stats["state_volume"]["folder"] for stats in said} == {str(tmp_path)}
    assert {stats["part"] for stats in said} == {"aggregator"}


def test_what_will_not_pass_ends_the_start(tmp_path):
    def make(now):
        raise NotADirectoryError(errno.ENOTDIR, "a file")

    with pytest.raises(NotADirectoryError):
        opened("aggregator", str(tmp_path), make, 0.0, RecordingBus(), "s/stats")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (READ_ONLY, True),
        (OSError(errno.EIO, ""), True),
        (FULL, True),
        (sqlite3.OperationalError("disk I/O error"), True),
        (sqlite3.OperationalError("attempt to write a readonly database"), True),
        (sqlite3.OperationalError("unable to open database file"), False),
        (sqlite3.OperationalError("database is locked"), False),
        (PermissionError(errno.EACCES, ""), False),
        (ValueError("settings"), False),
    ],
)
def test_trouble_of_the_disk_is_told_from_a_wrong_place(tmp_path, error, passes):
    assert is_trouble(error, str(tmp_path)) is passes


def test_what_fails_in_a_folder_is_asked_of_it_and_leaves_nothing(tmp_path):
    assert failing_of(str(tmp_path)) == 0
    assert failing_of(str(tmp_path / "not there")) == errno.ENOENT
    assert list(tmp_path.iterdir()) == []


def test_an_idle_part_sees_that_its_volume_is_read_only_and_that_it_is_not_any_more(tmp_path):
    def remount(how):
        subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)

    with small_disk_at(tmp_path / "disk", 2) as disk:
        volume = StateVolume("splitter", str(disk))
        volume.look(lambda: pytest.fail("nothing was refused"))
        assert volume.describe() == {"state": "ready"}
        remount("ro")
        volume.look(lambda: False)
        refusing = volume.describe()
        remount("rw")
        volume.look(lambda: not failing_of(str(disk)))

    assert refusing["folder"] == str(disk)
    assert "Read-only" in refusing["detail"]
    assert volume.describe() == {"state": "ready"}


def test_a_database_that_is_put_back_while_it_is_in_use_is_said_once(tmp_path, caplog):
    for name in ("journal.sqlite3", "journal.sqlite3-wal"):
        (tmp_path / name).touch()
    volume = StateVolume("splitter", str(tmp_path))
    volume.look(lambda: True)
    assert caplog.text == ""

    (tmp_path / "backup").touch()
    (tmp_path / "backup").replace(tmp_path / "journal.sqlite3")
    for _ in range(2):
        volume.look(lambda: True)

    assert caplog.text.count("was replaced or removed while it is in use") == 1
    assert volume.describe() == {
        "state": "ready",
        "replaced": [str(tmp_path / "journal.sqlite3")],
    }


def test_a_damaged_database_that_its_owner_sets_aside_was_not_replaced_by_others(tmp_path):
    path = tmp_path / "store.sqlite3"
    path.touch()
    volume = StateVolume("aggregator", str(tmp_path))
    volume.look_whether_replaced()
    path.rename(tmp_path / "store.sqlite3.corrupt-1")
    path.touch()
    volume.look_whether_replaced()

    assert volume.describe() == {"state": "ready"}


def test_a_folder_that_is_removed_with_its_database_is_said(tmp_path):
    folder = tmp_path / "aggregator"
    folder.mkdir()
    (folder / "store.sqlite3").touch()
    volume = StateVolume("aggregator", str(folder))
    volume.look_whether_replaced()
    shutil.rmtree(folder)
    volume.look_whether_replaced()

    assert volume.describe()["replaced"] == [str(folder / "store.sqlite3")]


def test_the_log_of_an_open_database_that_is_removed_is_said(tmp_path):
    path = tmp_path / "journal.sqlite3"
    opened = open_database(str(path), Format("CREATE TABLE IF NOT EXISTS t(n)", 1, 1 << 20))
    volume = StateVolume("splitter", str(tmp_path))
    volume.look_whether_replaced()
    log = path.with_name("journal.sqlite3-wal")
    log.unlink()
    volume.look_whether_replaced()
    opened.connection.close()

    assert volume.describe()["replaced"] == [str(log)]


@pytest.mark.parametrize("shared", [False, True])
def test_the_log_of_a_database_in_use_is_as_it_was(tmp_path, shared):
    """Whatever is written, and where it is shared, opened and closed by others."""
    form = Format("CREATE TABLE IF NOT EXISTS t(n)", 1, 1 << 24, shared=shared)
    path = str(tmp_path / "journal.sqlite3")
    opened = open_database(path, form)
    volume = StateVolume("splitter", str(tmp_path))
    for _ in range(3):
        volume.look_whether_replaced()
        for _ in range(3):
            with transaction(opened.connection):
                opened.connection.execute("INSERT INTO t VALUES(zeroblob(1000000))")
        if shared:
            open_database(path, form).connection.close()
    volume.look_whether_replaced()
    opened.connection.close()

    assert volume.describe() == {"state": "ready"}


def test_a_database_that_is_replaced_before_the_first_look_is_said(tmp_path):
    path = tmp_path / "journal.sqlite3"
    path.touch()
    volume = StateVolume("splitter", str(tmp_path))
    (tmp_path / "backup").touch()
    (tmp_path / "backup").replace(path)
    volume.look_whether_replaced()

    assert volume.describe()["replaced"] == [str(path)]
