"""Back-pressure and what is known of a camera, without a camera."""

from __future__ import annotations

import threading

from lambdas.grabber.flow import GIVE_UP_S, IN_FLIGHT, RESEND_S, Flow, Sent
from lambdas.grabber.frames import Frame, Newest
from lambdas.grabber.watch import KILL_AFTER_S, START_S, Watch


def sent(number, now=0.0):
    return Sent(f"f{number}", f"live/cam1/{number}.jpg", b"{}", now)


def flow_with(count, fps=10.0):
    flow = Flow(fps, 0.0)
    for number in range(count):
        flow.sending(sent(number))
    return flow


def test_frames_that_nobody_answers_are_announced_again_in_order_and_given_up():
    flow = flow_with(3)

    assert flow.to_repeat(RESEND_S - 0.1) == []
    assert [each.id for each in flow.to_repeat(RESEND_S)] == ["f0", "f1", "f2"]
    assert flow.to_repeat(RESEND_S + 0.1) == []
    assert len(flow.given_up(GIVE_UP_S)) == 3
    assert flow.unanswered == 3
    assert not flow.sent


def test_an_answer_gives_up_earlier_frames_so_that_the_stream_stays_in_order():
    flow = flow_with(3)

    done = flow.answered({"id": "f1"}, 1.0)

    assert [each.id for each in done] == ["f0", "f1"]
    assert (flow.accepted, flow.unanswered, list(flow.sent)) == (1, 1, ["f2"])


def test_an_answer_about_somebody_elses_image_changes_nothing():
    flow = flow_with(1)

    assert flow.answered({"id": "other"}, 1.0) == []
    assert list(flow.sent) == ["f0"]


def test_busy_pauses_for_as_long_as_the_splitter_says():
    flow = flow_with(1)
    flow.answered({"id": "f0", "reason": "busy", "retry_after_s": 2.5}, 1.0)

    assert not flow.has_room(3.4)
    assert flow.has_room(3.5)


def test_a_due_frame_without_room_is_dropped_and_counted():
    flow = flow_with(IN_FLIGHT)

    assert [flow.due(now) for now in (0.0, 0.1, 0.2)] == [False] * 3
    assert flow.dropped == 3


def test_a_rate_is_kept_by_a_look_that_is_a_little_late_each_time():
    flow = Flow(30.0, 0.0)
    looks = [n * 0.011 for n in range(1000)]

    taken = sum(flow.due(now) for now in looks)

    assert taken == 330  # 11 seconds, 30 a second


def test_images_without_a_record_count_until_the_splitter_says_otherwise():
    flow = Flow(10.0, 0.0)
    flow.backlog(20)

    assert not flow.has_room(0.0)
    flow.backlog(19)
    assert flow.has_room(0.0)
    flow.sending(sent(1))
    flow.answered({"id": "f1"}, 0.0)
    assert not flow.has_room(0.0)


def test_a_process_that_says_nothing_is_to_be_killed_before_and_after_its_first_frame():
    watch = Watch(60.0, 5.0, 0.0)
    watch.started()
    watch.asked(0.0)

    assert not watch.hangs(START_S + KILL_AFTER_S)
    assert watch.hangs(START_S + KILL_AFTER_S + 0.1)
    watch.frame({"read": 1, "picture": [4, 3]}, b"a", 1.0)
    watch.asked(1.0)
    assert watch.hangs(1.0 + 5.0 + KILL_AFTER_S + 0.1)


def test_the_same_picture_for_long_is_frozen_once_and_a_new_one_ends_it():
    watch = Watch(10.0, 5.0, 0.0)

    said = [watch.frame({}, b"same", float(now)) for now in (0, 5, 10, 15)]
    assert [len(lines) for lines in said] == [1, 0, 1, 0]
    assert watch.state == "frozen"
    watch.frame({}, b"other", 16.0)
    assert watch.state == "live"


def test_another_resolution_is_said_and_counted():
    watch = Watch(10.0, 5.0, 0.0)
    watch.frame({"picture": [640, 480]}, b"a", 0.0)

    assert watch.frame({"picture": [1920, 1080]}, b"b", 1.0) == ["now 1920x1080, was 640x480"]
    assert watch.describe(2.0)["resized"] == 1


def test_frames_of_the_camera_are_counted_over_all_connections():
    watch = Watch(10.0, 5.0, 0.0)
    watch.frame({"read": 40}, b"a", 1.0)
    assert watch.describe(2.0)["fps_in"] == 20.0
    watch.ended("ended", "gone")
    watch.started()
    watch.frame({"read": 3}, b"b", 3.0)

    told = watch.describe(4.0)
    assert (told["read"], told["fps_in"]) == (43, 1.5)


def test_a_reader_ends_when_its_last_picture_has_been_given_to_who_asked():
    newest, happened = Newest(), []

    def end():
        newest.wait_given(60.0)
        happened.append("ended")

    newest.put(Frame(1.0, b"last"))
    reader = threading.Thread(target=end)
    reader.start()
    assert newest.take().encoded == b"last"
    happened.append("written")
    newest.given()
    reader.join(60.0)

    assert happened == ["written", "ended"]


def test_a_reader_whose_last_picture_nobody_wants_ends_all_the_same():
    newest = Newest()
    newest.put(Frame(1.0, b"last"))

    newest.wait_given(0.01)
    newest.take()
    newest.given()
    newest.wait_given(60.0)
