"""Credit at its edges: who is missed, and who gets what is left."""

from __future__ import annotations

import pytest

from contract.messages import Heartbeat
from lambdas.splitter.backlog import Image
from lambdas.splitter.credit import MISSED_S, Batch, Credit

TIMEOUT_S = 30.0


def heartbeat(worker: str = "w0", incarnation: str = "i") -> Heartbeat:
    return Heartbeat(worker, incarnation, "heartbeat", None, 0.0, None)


def credit_of(*workers: str, window: int = 2) -> Credit:
    credit = Credit(workers, window, 8, TIMEOUT_S)
    for name in workers:
        credit.heard(heartbeat(name), 0.0)
    return credit


def give(credit: Credit, name: str, batch_id: str, images: int = 1, alone: bool = False) -> Batch:
    items = [Image({"stream": "a", "seq": seq}) for seq in range(1, images + 1)]
    batch = Batch(batch_id, items, 0.0, alone)
    credit.assign(credit.workers[name], batch)
    return batch


def test_what_a_worker_holds_is_missed_only_after_its_time_and_told_once():
    credit = credit_of("w0", "w1")
    batch, other = give(credit, "w0", "b0"), give(credit, "w1", "b1")
    credit.heard(heartbeat("w1"), MISSED_S)
    for now in (0.0, 0.1, MISSED_S):
        assert credit.missing(now) == []
    assert credit.missing(MISSED_S + 0.01) == [batch]
    assert (batch.missed, other.missed) == (True, False)
    assert (credit.workers["w0"].load, credit.workers["w1"].load) == (0, 1)
    assert credit.missing(MISSED_S + 0.02) == []


def test_a_suspect_is_not_missed():
    credit = credit_of("w0")
    trial, batch = give(credit, "w0", "t", alone=True), give(credit, "w0", "b")
    assert credit.missing(MISSED_S + 1) == [batch]
    assert list(credit.workers["w0"].batches.values()) == [trial]


def test_of_an_end_that_is_known_later_what_was_missed_is_part():
    credit = credit_of("w0")
    missed = give(credit, "w0", "b")
    credit.missing(MISSED_S + 1)
    trial = give(credit, "w0", "t", alone=True)
    assert credit.heard(heartbeat(incarnation="next"), MISSED_S + 2) == [missed, trial]
    assert credit.heard(heartbeat(incarnation="third"), MISSED_S + 3) == []
    assert credit.restarts == 2


def test_at_the_timeout_what_was_missed_is_part_of_the_end_once():
    credit = credit_of("w0")
    missed = give(credit, "w0", "b")
    credit.missing(MISSED_S + 1)
    assert credit.silent(TIMEOUT_S) == {}
    assert credit.silent(TIMEOUT_S + 0.01) == {"w0": [missed]}
    assert credit.missing(TIMEOUT_S + 1) == []
    assert credit.heard(heartbeat(incarnation="next"), TIMEOUT_S + 2) == []


def test_a_worker_that_speaks_again_is_no_evidence_of_what_was_missed():
    credit = credit_of("w0")
    give(credit, "w0", "b")
    credit.missing(MISSED_S + 1)
    assert credit.heard(heartbeat(), MISSED_S + 2) == []
    assert credit.heard(heartbeat(incarnation="next"), MISSED_S + 3) == []


@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_worker_has_exactly_its_window_of_credits(window):
    credit = credit_of("w0", window=window)
    for n in range(window):
        assert credit.describe(credit.workers["w0"])["credits"] == window - n
        worker, _ = credit.grant(99, 8, 0.0)
        give(credit, worker.name, f"b{n}")
    assert credit.grant(99, 8, 0.0) is None


@pytest.mark.parametrize(("held", "waiting", "soonest"), [(4, 2, "w1"), (1, 4, "w0")])
def test_near_the_end_the_next_image_goes_where_it_is_done_soonest(held, waiting, soonest):
    """After four images the fast one has a fifth at 0.35 s, after one a second at 0.14 s; the
    slow one is idle and has its first at 0.28 s."""
    credit = credit_of("w0", "w1")
    for name, pace_s in (("w0", 0.07), ("w1", 0.28)):
        credit.workers[name].pace.s_per_image = pace_s
    give(credit, "w0", "b", images=held)
    assert credit.grant(waiting, 8, 0.0)[0].name == soonest


def test_the_last_image_of_a_batch_returns_its_credit():
    credit = credit_of("w0", window=1)
    batch = give(credit, "w0", "b", images=2)
    worker = credit.workers["w0"]
    credit.finished(batch.images[0], 1.0)
    assert (worker.load, worker.done, credit.grant(9, 8, 1.0)) == (1, 1, None)
    credit.finished(batch.images[0], 1.0)
    assert worker.load == 1, "the same one again counts nothing"
    credit.finished(batch.images[1], 1.0)
    assert (worker.load, worker.done, worker.pace.s_per_image) == (0, 2, 0.5)
    assert credit.grant(9, 8, 1.0) is not None


def test_attempts_are_counted_per_image_and_new_work_is_no_doubtful_evidence():
    credit = credit_of("w0")
    batch = give(credit, "w0", "b", images=2)
    assert (batch.attempt, [i.attempt for i in batch.images], batch.doubtful) == (1, [1, 1], False)
    credit.withdraw_batch(credit.workers["w0"], batch)
    again = Batch("again", [batch.images[0], Image({"stream": "a", "seq": 9})], 0.0, False)
    credit.assign(credit.workers["w0"], again)
    assert (again.attempt, [i.attempt for i in again.images]) == (2, [2, 1])


def test_a_batch_ends_when_every_image_of_the_window_has_had_its_time():
    """A worker that answers and never finishes: three batches of eight images at 30 s."""
    credit = credit_of("w0")
    batch = give(credit, "w0", "b")
    for now, lost in ((720.0, {}), (720.01, {"w0": [batch]}), (720.02, {})):
        credit.heard(heartbeat(), now)
        assert credit.silent(now) == lost


@pytest.mark.parametrize(
    ("avoid", "picked"),
    [((), "w0"), (("w0",), "w1"), (("w1",), "w0"), (("w0", "w1"), "w0"), (("stranger",), "w0")],
)
def test_for_a_suspect_who_is_to_be_avoided_comes_last(avoid, picked):
    assert credit_of("w0", "w1").pick_idle(avoid, 0.0).name == picked


def test_where_all_are_busy_the_least_loaded_is_kept_free_until_it_is_idle():
    credit = credit_of("w0", "w1", window=3)
    give(credit, "w0", "b0", images=2)
    batch = give(credit, "w1", "b1", images=1)
    assert credit.pick_idle((), 0.0) is None
    give(credit, "w1", "b2", images=5)
    assert credit.pick_idle((), 0.0) is None
    assert credit.grant(9, 8, 0.0)[0].name == "w0", "it stays the one that is kept free"
    assert credit.pick_idle(("w1",), 0.0) is None
    assert credit.grant(9, 8, 0.0)[0].name == "w1", "unless it is to be avoided"
    credit.unreserve()
    assert credit.grant(9, 8, 0.0)[0].name == "w0"
    credit.finished(batch.images[0], 1.0)
    credit.workers["w1"].drop_all()
    assert credit.pick_idle((), 1.0).name == "w1"
