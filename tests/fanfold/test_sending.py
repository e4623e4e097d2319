"""The sender settles every event, whatever the splitter answers or leaves unanswered."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.sending.records import line_of
from fanfold.sending.sender import Sender
from fanfold.verbs.send import _as_file


def test_no_more_are_under_way_than_the_window_allows():
    sender = Sender(deque(str(i) for i in range(10)), window=4)

    assert len(list(sender.due(0.0))) == 4
    sender.on_accepted({"id": "0"})
    assert list(sender.due(0.0)) == ["4"]


def test_an_unanswered_event_is_sent_again_after_its_deadline():
    sender = Sender(deque(["a"]), resend_s=5)

    assert list(sender.due(0.0)) == ["a"]
    assert list(sender.due(4.9)) == []
    assert list(sender.due(5.0)) == ["a"]
    assert sender.resent == 1


@pytest.mark.parametrize("reason", ["busy", "no_space"])
def test_no_room_is_waited_for_and_never_counted_as_rejected(reason):
    sender = Sender(deque(["a"]))
    list(sender.due(0.0))
    sender.on_rejected({"id": "a", "reason": reason, "retry_after_s": 2}, now=1.0)

    assert list(sender.due(2.9)) == []
    assert list(sender.due(3.0)) == ["a"]
    assert not sender.rejected


def test_a_second_answer_for_the_same_event_is_not_counted():
    sender = Sender(deque(["a"]))
    list(sender.due(0.0))

    assert sender.on_accepted({"id": "a"})
    assert not sender.on_accepted({"id": "a"})
    assert sender.settled == 1


@settings(deadline=None)
@given(
    st.integers(1, 40),
    st.lists(st.sampled_from(["accept", "reject", "busy", "lose"]), max_size=200),
    st.integers(1, 8),
)
def test_every_event_is_settled_exactly_once_when_answers_come_at_last(count, answers, window):
    sender = Sender(deque(str(i) for i in range(count)), window=window, resend_s=1)
    script, now = iter(answers), 0.0

    while not sender.done:
        now += 1.0
        for event_id in list(sender.due(now)):
            assert len(sender.in_flight) <= window
            match next(script, "accept"):
                case "accept":
                    sender.on_accepted({"id": event_id})
                case "reject":
                    sender.on_rejected({"id": event_id, "reason": "malformed"}, now)
                case "busy":
                    sender.on_rejected({"id": event_id, "reason": "busy"}, now)

    assert sender.settled == count


def test_a_result_is_one_line_whatever_it_says():
    assert "gap" in line_of({"stream": "cam1", "seq": 3, "status": "gap"})
    failed = {"stream": "c", "seq": 1, "id": "x", "status": "failed", "reason": "truncated"}
    assert "truncated" in line_of(failed)
    boxes = {"stream": "c", "seq": 1, "status": "ok", "output": {"boxes": [{"label": "dent"}]}}
    assert "1 boxes dent" in line_of(boxes)


def test_a_copy_has_the_senders_own_name_also_where_it_comes_again(tmp_path):
    pictures = [tmp_path / "a" / "weld 7.jpg", tmp_path / "b" / "weld 7.jpg"]
    for number, picture in enumerate(pictures):
        picture.parent.mkdir()
        picture.write_bytes(bytes([number]))
    content = _as_file(tmp_path / "volume")

    files = [content(p, "cam1", f"6a-{n:06d}")["file"] for n, p in enumerate(pictures)]

    assert files == ["cam1/6a/weld 7.jpg", "cam1/6a-1/weld 7.jpg"]
    assert [(tmp_path / "volume" / file).read_bytes() for file in files] == [b"\0", b"\1"]


def test_a_name_with_line_ends_and_escapes_is_sent_under_one_that_a_path_may_have(tmp_path):
    picture = tmp_path / "a\nb\tc\x1b[31m.jpg"
    picture.write_bytes(b"picture")

    file = _as_file(tmp_path / "volume")(picture, "cam1", "6a-000000")["file"]

    assert file == "cam1/6a/a_x0ab_x09c_x1b[31m.jpg"
    assert (tmp_path / "volume" / file).read_bytes() == b"picture"
