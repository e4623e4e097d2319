"""What inference functions leave at their desks, and what a transform function reads there."""

import os
from pathlib import Path

import pytest

from lambdas.tensors.folder import Desk, Folder, Watch, life_of
from lambdas.transform.pipeline import Desks


@pytest.fixture
def path(tmp_path):
    return Folder(str(tmp_path / "shm")).desk("w0")


@pytest.fixture
def desks(path):
    return Desks({"w0": path}, 30.0, lambda _worker: None, 0.0)


def ended(desk):
    """The process is gone, and its lock with it."""
    os.close(desk._fd)


def test_a_desk_names_the_four_lives_before_it_and_which_of_them_crashed(path):
    watch = Watch(path, 0.0)
    for incarnation in "abcdef":
        # Who comes after b and after d has been told of a crash.
        desk = Desk(path, incarnation, after_crash=incarnation in "ce")
        watch.look(1.0)
        ended(desk)
    assert watch.life == life_of("f")
    lives = {"e": False, "d": True, "c": False, "b": True}
    assert watch.ends == {life_of(name): crashed for name, crashed in lives.items()}


def test_a_life_that_came_and_went_between_two_looks_is_known_too(path, desks):
    desks.look(1.0)
    for incarnation, after_crash in (("a", False), ("b", True), ("c", False)):
        ended(Desk(path, incarnation, after_crash=after_crash))
    desks.look(2.0)
    assert (desks.crashed(life_of("a")), desks.crashed(life_of("b"))) == (True, False)


def test_how_a_life_ended_is_not_known_before_its_successor_is_there(path, desks):
    first = Desk(path, "a")
    desks.look(1.0)
    ended(first)
    desks.look(2.0)
    assert desks.crashed(life_of("a")) is None

    Desk(path, "b", after_crash=True)
    desks.look(3.0)

    assert desks.crashed(life_of("a")) is True
    assert desks.crashed(life_of("b")) is None


def test_a_life_that_was_killed_has_not_crashed(path, desks):
    ended(Desk(path, "a"))
    Desk(path, "b")
    desks.look(1.0)
    assert desks.crashed(life_of("a")) is False


def test_a_life_of_which_no_desk_knows_has_no_verdict(path, desks):
    Desk(path, "b", after_crash=True)
    desks.look(1.0)
    assert desks.crashed(life_of("a")) is None


def test_the_shorter_desk_of_an_older_version_is_read_too(path, desks):
    Path(path).write_bytes((7).to_bytes(8, "little") + life_of("a").to_bytes(8, "little"))
    desks.look(1.0)
    assert desks.crashed(life_of("a")) is None
    Desk(path, "b", after_crash=True)
    desks.look(2.0)
    assert desks.crashed(life_of("a")) is True
