"""Order per stream: against a small model, and each promise by name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lambdas.aggregator.reorder import DUPLICATE, EMIT, GAP, LATE, REFUSED, Stream


@given(st.integers(1, 40), st.randoms(), st.integers(0, 60))
def test_any_order_with_any_repeats_comes_out_once_and_in_order(count, random, repeats):
    arrivals = list(range(1, count + 1)) + [random.randint(1, count) for _ in range(repeats)]
    random.shuffle(arrivals)
    stream, told = Stream(), []
    for seq in arrivals:
        _, steps = stream.offer(seq, 1, seq)
        told += steps + stream.release(0.0, 5.0, 10_000)

    assert [(s.kind, s.seq, s.record) for s in told] == [(EMIT, n, n) for n in range(1, count + 1)]
    assert (stream.floor, stream.held, stream.gaps) == (count, {}, set())


@given(st.integers(2, 30), st.randoms(), st.floats(0.0, 3.0))
def test_every_number_is_emitted_or_late_exactly_once_however_long_it_takes(count, random, pace):
    arrivals = list(range(1, count + 1))
    random.shuffle(arrivals)
    stream, told, now = Stream(), [], 0.0
    for seq in arrivals:
        now += pace
        _, steps = stream.offer(seq, 1, seq)
        told += steps + stream.release(now, 5.0, 10_000)
    told += stream.release(now + 10, 5.0, 10_000)

    ended = sorted(s.seq for s in told if s.kind != GAP)
    in_place = [s.seq for s in told if s.kind != LATE]
    assert ended == list(range(1, count + 1))
    assert in_place == sorted(in_place)
    assert {s.seq for s in told if s.kind == GAP} == {s.seq for s in told if s.kind == LATE}


def test_a_missing_number_holds_the_stream_no_longer_than_the_wait():
    stream = Stream()
    stream.offer(1, 1, "a")
    stream.offer(3, 1, "c")

    assert [s.seq for s in stream.release(10.0, 5.0, 100)] == [1]
    assert stream.release(14.9, 5.0, 100) == []
    assert [(s.kind, s.seq) for s in stream.release(15.0, 5.0, 100)] == [(GAP, 2), (EMIT, 3)]
    assert stream.floor == 1


def test_too_many_held_records_open_the_gap_at_once():
    stream = Stream(1)
    for seq in (2, 3, 4):
        stream.offer(seq, 1, seq)

    first = stream.release(0.0, 5.0, 2)[0]
    assert (first.kind, first.seq) == (GAP, 1)


def test_what_is_missing_below_low_is_told_as_lost():
    stream = Stream(5)
    stream.offer(7, 5, "g")
    verdict, steps = stream.offer(9, 8, "i")

    assert verdict == "held"
    assert [(s.seq, s.record) for s in steps] == [(5, None), (6, None), (7, "g")]
    assert stream.floor == 7


def test_a_new_stream_starts_at_low_and_takes_what_is_below_for_done():
    stream = Stream()
    stream.offer(45, 41, "x")

    assert stream.next == 41
    assert stream.offer(40, 40, "old") == (DUPLICATE, [])


def test_a_jump_that_no_backlog_explains_is_refused():
    stream = Stream(1)

    assert stream.offer(1 << 40, 1 << 40, "x") == (REFUSED, [])
    assert stream.held == {}


def test_a_gap_that_is_told_as_lost_is_told_once():
    stream = Stream(1)
    stream.offer(3, 1, "c")
    stream.release(0.0, 5.0, 100)
    stream.release(5.0, 5.0, 100)
    assert [s.seq for s in stream.lost_below(3)] == [1, 2]

    assert stream.lost_below(3) == []
    assert stream.floor == 3


def test_a_late_record_that_comes_again_is_a_duplicate():
    stream = Stream(1)
    stream.offer(2, 1, "b")
    stream.release(0.0, 5.0, 100)
    stream.release(5.0, 5.0, 100)

    assert stream.offer(1, 1, "a")[0] == LATE
    assert stream.offer(1, 1, "a") == (DUPLICATE, [])
