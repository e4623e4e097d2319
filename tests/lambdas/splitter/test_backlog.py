"""The backlog's counts and turns at their edges; in between the state machine drives it."""

from __future__ import annotations

import pytest

from lambdas.splitter.backlog import Backlog, Image


def image(seq: int, stream: str = "a", terminal=None) -> Image:
    return Image({"stream": stream, "seq": seq}, terminal)


def backlog_of(*images: Image) -> Backlog:
    backlog = Backlog()
    for one in images:
        backlog.add(one)
    return backlog


def numbers(images) -> list:
    return [one.seq for one in images]


def on_a_worker(backlog: Backlog, count: int) -> list:
    """Taken, as the engine does it: each has a batch from then on."""
    taken = backlog.take(count)
    for one in taken:
        one.batch = ("worker", "batch")
    return taken


def test_a_new_image_was_never_tried_and_killed_nobody():
    one = image(1)
    assert (one.attempt, one.deaths, one.killed, one.batch, one.terminal) == (0, 0, (), None, None)


def test_nothing_can_be_taken_of_an_empty_backlog():
    backlog = Backlog()
    assert (backlog.take(3), backlog.next_suspect()) == ([], None)
    assert backlog.get("a", 1) is None
    assert backlog.close("a", 1, 9) == []


def test_a_suspect_waits_until_it_is_taken_and_the_lowest_number_goes_first():
    backlog = backlog_of(*map(image, (1, 2, 3)))
    first, second, third = on_a_worker(backlog, 3)
    assert backlog.waiting == 0
    for one in (third, first, second):
        backlog.suspect(one)
    assert (backlog.waiting, first.batch) == (3, None)
    assert backlog.next_suspect() is first
    assert backlog.waiting == 3
    assert backlog.take_suspect() is first
    assert (backlog.waiting, backlog.outstanding) == (2, 3)
    assert backlog.next_suspect() is second
    assert backlog.take(3) == [], "a suspect goes alone"


def test_a_suspect_that_was_closed_or_judged_meanwhile_is_passed_over():
    backlog = backlog_of(*map(image, (1, 2, 3)))
    first, second, third = on_a_worker(backlog, 3)
    for one in (first, second, third):
        backlog.suspect(one)
    backlog.close("a", 1, 1)
    backlog.terminate(second, "dropped")
    assert backlog.next_suspect() is third
    assert backlog.waiting == 1


@pytest.mark.parametrize("back", ["again", "suspect"])
@pytest.mark.parametrize("ended", ["terminated", "closed", "closed and terminated"])
def test_what_ended_on_its_worker_does_not_wait_again(back, ended):
    backlog = backlog_of(image(1), image(2))
    one, _ = on_a_worker(backlog, 2)
    if "terminated" in ended:
        backlog.terminate(one, "failed")
    if "closed" in ended:
        assert backlog.close("a", 1, 1) == [one]
    getattr(backlog, back)(one)
    assert one.batch is None
    assert backlog.waiting == 0
    assert (backlog.take(1), backlog.next_suspect()) == ([], None)


def test_only_what_waited_stops_waiting_when_it_is_judged():
    backlog = backlog_of(image(1), image(2), image(3))
    (one,) = on_a_worker(backlog, 1)
    backlog.terminate(one, "failed")
    assert (backlog.waiting, one.batch, one.terminal) == (2, None, "failed")
    waits = backlog.get("a", 2)
    backlog.terminate(waits, "dropped")
    backlog.terminate(waits, "dropped")
    assert (backlog.waiting, backlog.outstanding) == (1, 3)
    assert numbers(backlog.take(9)) == [3]


def test_only_what_waited_stops_waiting_when_it_is_closed():
    backlog = backlog_of(image(1), image(2), image(3, terminal="dropped"), image(4))
    on_a_worker(backlog, 1)
    assert numbers(backlog.close("a", 1, 3)) == [1, 2, 3]
    assert (backlog.waiting, backlog.outstanding) == (1, 1)


@pytest.mark.parametrize("last", [4, 5, 1 << 40])
def test_a_range_closes_its_ends_and_whatever_lies_between(last):
    backlog = backlog_of(*map(image, range(1, 8)))
    assert numbers(backlog.close("a", 2, last)) == list(range(2, min(last, 7) + 1))
    assert backlog.close("a", 2, last) == []
    assert backlog.outstanding == 7 - (min(last, 7) - 1)


def test_only_streams_with_an_open_image_are_told_and_walked():
    backlog = backlog_of(image(1, "a"), image(1, "b"))
    backlog.close("a", 1, 1)
    assert (backlog.by_stream(), numbers(backlog)) == ({"b": 1}, [1])
    backlog.add(image(2, "a"))
    assert backlog.by_stream() == {"b": 1, "a": 1}


def test_what_nobody_has_is_found_oldest_first_and_suspects_last():
    backlog = backlog_of(*map(image, range(1, 7)))
    first, _, third = on_a_worker(backlog, 3)
    backlog.suspect(first)
    backlog.again(third)
    backlog.terminate(backlog.get("a", 4), "dropped")
    assert numbers(backlog.oldest_waiting()) == [3, 5, 6, 1]
    assert backlog.waiting == 4


def test_what_came_back_goes_before_what_is_new_and_in_order():
    backlog = backlog_of(*map(image, range(1, 6)))
    taken = on_a_worker(backlog, 3)
    for one in reversed(taken):
        backlog.again(one)
    assert backlog.waiting == 5
    assert numbers(backlog.take(9)) == [1, 2, 3, 4, 5]


def test_each_stream_has_its_turn_and_an_empty_one_costs_nobody_his():
    backlog = backlog_of(
        image(1, "a"), image(2, "a"), image(3, "a"), image(1, "b"), image(1, "c"), image(2, "c")
    )
    found = [(one.stream, one.seq) for one in backlog.take(9)]
    assert found == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("c", 2), ("a", 3)]
    assert backlog.waiting == 0


def test_judged_images_that_are_found_late_are_open_from_their_own_place_on():
    backlog = backlog_of(image(5), image(6))
    backlog.add_earlier([image(2, terminal="dropped"), image(3, terminal="dropped")])
    assert backlog.low("a") == 2
    assert (backlog.outstanding, backlog.waiting) == (4, 2)
    assert numbers(backlog.close("a", 2, 2)) == [2]
    assert backlog.low("a") == 3
    backlog.add_earlier([image(1, terminal="dropped")])
    assert backlog.low("a") == 1
    backlog.close("a", 1, 1)
    assert numbers(backlog.close("a", 1, 5)) == [3, 5]
    assert backlog.low("a") == 6
    backlog.close("a", 1, 6)
    assert backlog.low("a") == 6, "nothing is open: it stays where it was"
    backlog.add(image(9))
    assert backlog.low("a") == 9
