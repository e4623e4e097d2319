"""What inference functions leave at their leases, and what a transform function reads there."""

import os
from pathlib import Path

import pytest

from lambdas.tensors.folder import Folder, LeaseFile, Watch, short_incarnation
from lambdas.transform.pipeline import Leases


@pytest.fixture
def path(tmp_path):
    return Folder(str(tmp_path / "shm")).lease("w0")


@pytest.fixture
def leases(path):
    return Leases({"w0": path}, 30.0, lambda _worker: None, 0.0)


def ended(lease):
    """The process is gone, and its lock with it."""
    os.close(lease._fd)


def test_a_lease_file_names_the_four_incarnations_before_it_and_which_of_them_crashed(path):
    watch = Watch(path, 0.0)
    for incarnation in "abcdef":
        # Who comes after b and after d has been told of a crash.
        lease = LeaseFile(path, incarnation, after_crash=incarnation in "ce")
        watch.look(1.0)
        ended(lease)
    assert watch.incarnation == short_incarnation("f")
    incarnations = {"e": False, "d": True, "c": False, "b": True}
    assert watch.ends == {
        short_incarnation(name): crashed for name, crashed in incarnations.items()
    }


def test_an_incarnation_that_came_and_went_between_two_looks_is_known_too(path, leases):
    leases.look(1.0)
    for incarnation, after_crash in (("a", False), ("b", True), ("c", False)):
        ended(LeaseFile(path, incarnation, after_crash=after_crash))
    leases.look(2.0)
    assert (leases.crashed(short_incarnation("a")), leases.crashed(short_incarnation("b"))) == (
        True,
        False,
    )


def test_how_an_incarnation_ended_is_not_known_before_its_successor_is_there(path, leases):
    first = LeaseFile(path, "a")
    leases.look(1.0)
    ended(first)
    leases.look(2.0)
    assert leases.crashed(short_incarnation("a")) is None

    LeaseFile(path, "b", after_crash=True)
    leases.look(3.0)

    assert leases.crashed(short_incarnation("a")) is True
    assert leases.crashed(short_incarnation("b")) is None


def test_an_incarnation_that_was_killed_has_not_crashed(path, leases):
    ended(LeaseFile(path, "a"))
    LeaseFile(path, "b")
    leases.look(1.0)
    assert leases.crashed(short_incarnation("a")) is False


def test_an_incarnation_of_which_no_lease_file_knows_has_no_known_end(path, leases):
    LeaseFile(path, "b", after_crash=True)
    leases.look(1.0)
    assert leases.crashed(short_incarnation("a")) is None


def test_the_shorter_lease_file_of_an_older_version_is_read_too(path, leases):
    Path(path).write_bytes((7).to_bytes(8, "little") + short_incarnation("a").to_bytes(8, "little"))
    leases.look(1.0)
    assert leases.crashed(short_incarnation("a")) is None
    LeaseFile(path, "b", after_crash=True)
    leases.look(2.0)
    assert leases.crashed(short_incarnation("a")) is True
