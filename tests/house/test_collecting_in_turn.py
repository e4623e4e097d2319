"""Of the processes of one run, one makes the byte code of all tests; the others wait for it."""

from __future__ import annotations

import contextlib
import fcntl
from pathlib import Path
from types import SimpleNamespace

import pytest
from collecting import TURNS, give_turns, in_turn


@pytest.fixture
def config(tmp_path):
    return SimpleNamespace(workerinput={TURNS: str(tmp_path / "turns")})


def is_another_ones_turn(config):
    with Path(config.workerinput[TURNS]).open("rb") as turns:
        try:
            fcntl.flock(turns, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_while_the_first_one_collects_nobody_else_does(config):
    with in_turn(config):
        assert not is_another_ones_turn(config)


def test_once_one_has_collected_the_others_do_so_beside_one_another(config):
    with in_turn(config):
        pass

    with in_turn(config):
        assert is_another_ones_turn(config)


def test_one_that_ends_before_it_has_collected_leaves_its_turn_to_the_next(config):
    with contextlib.suppress(RuntimeError), in_turn(config):
        raise RuntimeError

    assert is_another_ones_turn(config)
    with in_turn(config):
        assert not is_another_ones_turn(config)


def test_processes_of_one_run_have_one_turn_and_those_of_another_have_their_own():
    first, second, other = (
        SimpleNamespace(workerinput={"testrunuid": run}) for run in ("one", "one", "other")
    )
    for node in (first, second, other):
        give_turns(node)

    assert first.workerinput[TURNS] == second.workerinput[TURNS] != other.workerinput[TURNS]


def test_a_run_of_one_process_has_no_turns():
    with in_turn(SimpleNamespace()):
        pass
