"""Order per stream: against a small model, and each promise by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lambdas.aggregator.reorder import (
    DUPLICATE,
    EMIT,
    GAP,
    HELD,
    LATE,
    MAX_JUMP,
    REFUSED,
    Stream,
)


@pytest.mark.slow
@given(st.integers(1, 40), st.randoms(), st.integers(0, 60))
def test_any_order_with_any_repeats_comes_out_once_and_in_order(count, random, repeats):
    arrivals = list(range(1, count + 1)) + [random.randint(1, count) for _ in range(repeats)]
    random.shuffle(arrivals)
    stream, told = Stream(), []
    for seq in arrivals:
        _, steps = stream.offer(seq, 1, seq)
        told += steps + stream.release(0.0, 5.0, 10_000)

    assert [(s.kind, s.seq, s.record) for s in told] == [(EMIT, n, n) for n in range(1, count + 1)]
    assert (stream.low_watermark, stream.held, stream.gaps) == (count, {}, set())


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
    assert stream.low_watermark == 1


def test_too_many_held_records_open_the_gap_at_once():
    stream = Stream(1)
    for seq in (2, 3, 4):
        stream.offer(seq, 1, seq)

    first = stream.release(0.0, 5.0, 2)[0]
    assert (first.kind, first.seq) == (GAP, 1)


def test_what_is_missing_below_low_is_emitted_as_lost():
    stream = Stream(5)
    stream.offer(7, 5, "g")
    verdict, steps = stream.offer(9, 8, "i")

    assert verdict == "held"
    assert [(s.seq, s.record) for s in steps] == [(5, None), (6, None), (7, "g")]
    assert stream.low_watermark == 7


def test_a_new_stream_starts_at_low_and_takes_what_is_below_for_done():
    stream = Stream()
    stream.offer(45, 41, "x")

    assert stream.next == 41
    assert stream.offer(40, 40, "old") == (DUPLICATE, [])


def test_a_jump_that_no_backlog_explains_is_refused():
    stream = Stream(1)

    assert stream.offer(1 << 40, 1 << 40, "x") == (REFUSED, [])
    assert stream.held == {}


def test_a_gap_that_is_emitted_as_lost_is_emitted_once():
    stream = Stream(1)
    stream.offer(3, 1, "c")
    stream.release(0.0, 5.0, 100)
    stream.release(5.0, 5.0, 100)
    assert [s.seq for s in stream.lost_below(3)] == [1, 2]

    assert stream.lost_below(3) == []
    assert stream.low_watermark == 3


def test_a_late_record_that_comes_again_is_a_duplicate():
    stream = Stream(1)
    stream.offer(2, 1, "b")
    stream.release(0.0, 5.0, 100)
    stream.release(5.0, 5.0, 100)

    assert stream.offer(1, 1, "a")[0] == LATE
    assert stream.offer(1, 1, "a") == (DUPLICATE, [])


def test_a_jump_is_measured_from_where_the_stream_stands_and_the_last_possible_one_is_taken():
    stream = Stream(10_000_000)
    assert stream.offer(10_000_000 + MAX_JUMP, 10_000_000, "far")[0] == HELD
    assert stream.offer(10_000_001 + MAX_JUMP, 10_000_000, "farther") == (REFUSED, [])
    assert stream.offer(10_000_001, 10_000_001 + MAX_JUMP, "low") == (REFUSED, [])


def test_low_watermark_and_top_say_what_is_known_before_and_after_records_are_held():
    fresh, stream = Stream(), Stream(5)
    assert (fresh.low_watermark, fresh.top) == (0, 0)
    assert (stream.low_watermark, stream.top) == (4, 4)
    stream.offer(8, 5, "x")
    assert (stream.low_watermark, stream.top) == (4, 8)
    stream.release(0.0, 5.0, 0)  # one held record is more than none: the gap opens
    assert (stream.low_watermark, stream.top) == (4, 8)
    assert stream.next == 9


def test_a_gap_at_low_itself_may_still_come():
    stream = Stream(1)
    stream.offer(4, 1, "d")
    stream.release(0.0, 5.0, 0)
    assert stream.gaps == {1, 2, 3}
    assert [s.seq for s in stream.lost_below(2)] == [1]
    assert stream.offer(2, 2, "b")[0] == LATE


def test_as_many_held_records_as_allowed_wait_and_one_more_does_not():
    stream = Stream(1)
    for seq in (2, 3):
        stream.offer(seq, 1, seq)
    assert stream.release(0.0, 5.0, 2) == []
    stream.offer(4, 1, 4)
    assert [s.kind for s in stream.release(0.0, 5.0, 2)] == [GAP, EMIT, EMIT, EMIT]


def test_losing_what_is_below_low_starts_the_wait_of_what_follows_anew():
    stream = Stream(1)
    stream.offer(5, 1, "e")
    assert stream.release(0.0, 5.0, 100) == []
    assert [s.seq for s in stream.lost_below(3)] == [1, 2]
    assert stream.release(5.0, 5.0, 100) == [], "3 has been missing since now"
    assert [s.seq for s in stream.release(10.0, 5.0, 100)] == [3, 4, 5]


class Reorder(RuleBasedStateMachine):
    """One stream against a reference that keeps a status per number."""

    def __init__(self):
        super().__init__()
        self.stream = Stream()
        self.now = 0.0
        self.next = None
        self.status = {}  # number → held, emitted, gap, late, lost
        self.low = 1
        self.waits_since = None

    def lose_below(self, low):
        """What the reference expects of `lost_below`."""
        expected = []
        for seq in sorted(s for s, what in self.status.items() if what == "gap" and s < low):
            self.status[seq] = "lost"
            expected.append((LATE, seq, False))
        if low > self.next:
            for seq in range(self.next, low):
                held = self.status.get(seq) == "held"
                expected.append((EMIT, seq, held))
                self.status[seq] = "emitted" if held else "lost"
            self.next, self.waits_since = low, None
        return expected

    @rule(ahead=st.integers(-6, 6), low_lag=st.integers(0, 12))
    def offer(self, ahead, low_lag):
        seq = max((self.next or 10) + ahead, 1)
        low = max(self.low, min(seq, seq - low_lag))
        if low > seq:
            assert self.stream.offer(seq, low, seq) == (REFUSED, [])
            return
        self.low = low
        if self.next is None:
            self.next = low
        was = self.status.get(seq)
        verdict, steps = self.stream.offer(seq, low, seq)
        expected = []
        if seq < self.next and was != "gap":
            assert verdict == DUPLICATE
            assert steps == []
            return
        if was == "held":
            assert (verdict, steps) == (DUPLICATE, [])
            return
        if was == "gap":
            assert verdict == LATE
            self.status[seq] = "late"
            expected.append((LATE, seq, True))
        else:
            assert verdict == HELD
            self.status[seq] = "held"
        expected += self.lose_below(low)
        assert [(s.kind, s.seq, s.record is not None) for s in steps] == expected

    @rule(quarters=st.integers(0, 12), hold=st.integers(0, 4))
    def release(self, quarters, hold):
        self.now += quarters / 4
        expected = []
        held = sorted(s for s, what in self.status.items() if what == "held")
        while held:
            if held[0] == self.next:
                self.status[held.pop(0)] = "emitted"
                expected.append((EMIT, self.next))
                self.next, self.waits_since = self.next + 1, None
                continue
            if self.waits_since is None:
                self.waits_since = self.now
            if self.now - self.waits_since < 1.0 and len(held) <= hold:
                break
            for seq in range(self.next, held[0]):
                self.status[seq] = "gap"
                expected.append((GAP, seq))
            self.next = held[0]
        found = self.stream.release(self.now, 1.0, hold)
        assert [(s.kind, s.seq) for s in found] == expected
        assert all((s.record == s.seq) == (s.kind == EMIT) for s in found)

    @invariant()
    def the_stream_stands_where_the_reference_does(self):
        gaps = {seq for seq, what in self.status.items() if what == "gap"}
        held = {seq for seq, what in self.status.items() if what == "held"}
        assert (self.stream.next, self.stream.gaps) == (self.next, gaps)
        assert set(self.stream.held) == held
        if self.next is not None:
            assert self.stream.low_watermark == (min(gaps) if gaps else self.next) - 1
            assert self.stream.top == (max(held) if held else self.next - 1)


TestReorder = Reorder.TestCase
TestReorder.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestReorder.pytestmark = [pytest.mark.slow]


@pytest.mark.soak
class TestReorderLong(Reorder.TestCase):
    settings = settings(max_examples=2_000, stateful_step_count=50, deadline=None)
