"""Who gets the next images when workers are not equally fast."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import Heartbeat
from contract.timing import STALE_S
from lambdas.splitter.backlog import Image
from lambdas.splitter.credit import Batch, Credit
from lambdas.splitter.pace import BATCH_S, Pace, batch_of, shares

WINDOW, LARGEST = 2, 8


def credit_of(paces_s, window=WINDOW):
    """Ready workers w0, w1, … whose pace is known (None: not yet)."""
    credit = Credit([f"w{i}" for i in range(len(paces_s))], window, LARGEST, 30.0)
    for index, pace_s in enumerate(paces_s):
        credit.heard(Heartbeat(f"w{index}", "a", "hello"), 0.0)
        credit.workers[f"w{index}"].pace.s_per_image = pace_s
    return credit


def give(credit, name, images):
    items = [Image({"stream": "cam1", "seq": seq}) for seq in range(images)]
    batch = Batch(f"{name}-{len(credit.workers[name].batches)}", items, 0.0, alone=False)
    credit.assign(credit.workers[name], batch)


def test_a_slow_worker_does_not_get_the_image_that_a_fast_one_finishes_sooner():
    credit = credit_of([0.07, 0.28])
    for _ in range(WINDOW):
        give(credit, "w0", 1)

    assert credit.grant(1, LARGEST, 0.0) is None


def test_a_slow_worker_works_while_the_backlog_lasts():
    credit = credit_of([0.07, 0.28])
    for _ in range(WINDOW):
        give(credit, "w0", 1)

    worker, count = credit.grant(1_000, LARGEST, 0.0)

    assert (worker.name, count) == ("w1", int(BATCH_S / 0.28))


def test_the_last_images_go_to_the_slow_worker_where_the_fast_one_is_gone():
    credit = credit_of([0.07, 0.28])
    for _ in range(WINDOW):
        give(credit, "w0", 1)
    credit.workers["w0"].state = "silent"

    worker, _ = credit.grant(1, LARGEST, 0.0)

    assert worker.name == "w1"


def test_a_lone_image_goes_to_the_fastest_worker_that_is_free():
    worker, count = credit_of([0.28, 0.07]).grant(1, LARGEST, 0.0)

    assert (worker.name, count) == ("w1", 1)


def test_lone_images_go_to_idle_workers_in_turn_where_they_are_equally_fast():
    credit = credit_of([None] * 4)
    give(credit, "w1", 1)
    credit.drain(["w2"], on=True)

    assert [credit.idle(0.0).name for _ in range(5)] == ["w0", "w3", "w0", "w3", "w0"]
    assert credit.idle(STALE_S + 0.1) is None, "nobody has been heard"


def test_a_lone_image_waits_for_its_turn_no_longer_once_one_worker_is_slower():
    credit = credit_of([None, None])
    for name, took_s in (("w0", 0.07), ("w1", 0.28)):
        items = [Image({"stream": "cam1", "seq": 1})]
        batch = Batch(name, items, 0.0, alone=False)
        credit.assign(credit.workers[name], batch)
        credit.finished(items[0], took_s)

    assert credit.idle(0.3) is None
    assert credit.grant(1, LARGEST, 0.3)[0].name == "w0"


def test_speeds_that_are_not_known_change_nothing():
    credit = credit_of([None, None])
    give(credit, "w0", 3)

    worker, count = credit.grant(100, LARGEST, 0.0)

    assert (worker.name, count) == ("w1", LARGEST)


def test_a_batch_is_no_more_than_a_second_of_work():
    assert [batch_of(s, LARGEST) for s in (None, 0.001, 0.25, 0.54, 20.0)] == [8, 8, 4, 1, 1]


@given(
    paces=st.lists(st.floats(1e-4, 30.0), min_size=1, max_size=16),
    waiting=st.integers(1, 6_000),
)
def test_while_nobody_has_work_somebody_gets_the_next(paces, waiting):
    granted = credit_of(paces).grant(waiting, LARGEST, 0.0)

    assert granted is not None
    assert 1 <= granted[1] <= min(waiting, LARGEST)


@given(
    loads=st.lists(st.tuples(st.integers(0, 20), st.floats(1e-3, 10.0)), min_size=1, max_size=8),
    waiting=st.integers(1, 200),
)
def test_no_image_would_be_done_sooner_by_another_worker(loads, waiting):
    counts = shares(loads, waiting)

    assert sum(counts) == waiting
    ends = [(held + count) * pace_s for (held, pace_s), count in zip(loads, counts)]
    for (held, pace_s), count in zip(loads, counts):
        moved_s = (held + count + 1) * pace_s
        worst_s = max(end for end, given in zip(ends, counts) if given)
        assert moved_s >= worst_s * (1 - 1e-9)


@given(
    loads=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([0.25, 0.5, 0.75, 1.0, 3.0])), min_size=1
    ),
    waiting=st.integers(0, 3_000),
)
def test_images_are_dealt_as_if_one_by_one_to_who_is_done_soonest(loads, waiting):
    counts = [0] * len(loads)
    for _ in range(waiting):
        ends = [(held + n + 1) * pace_s for (held, pace_s), n in zip(loads, counts)]
        counts[ends.index(min(ends))] += 1

    assert shares(loads, waiting) == counts


@pytest.mark.parametrize("pace_s", [0.01, 0.5])
def test_a_pace_is_learned_from_the_ends_of_batches_that_overlap(pace_s):
    pace, now = Pace(), 0.0
    for _ in range(20):
        sent_at, now = now, now + 4 * pace_s
        pace.finished(4, sent_at - 4 * pace_s, now)  # sent while the one before was at work

    assert pace.s_per_image == pytest.approx(pace_s, rel=0.01)
