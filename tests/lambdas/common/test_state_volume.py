"""A part whose folder cannot be opened waits in its process and says so, and then is there."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess

import pytest
from small_disks import small_disk_at

from contract import messages as m
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
