"""Small parts by name: jobs, summaries, clock, loop, bus, settings."""

from __future__ import annotations

import json
import threading

import pytest
from site_environment import environment
from waiting import eventually

from contract import messages as m
from lambdas.aggregator.engine import Aggregator
from lambdas.aggregator.jobs import Jobs
from lambdas.aggregator.sinks import summary_body
from lambdas.aggregator.stages import Stages
from lambdas.aggregator.watermarks import IN_TURN
from lambdas.common.bus import GreengrassBus, RecordingBus
from lambdas.common.loop import IDLE_TICKS, Loop, Message, Part, WaitingClock, gather_s
from lambdas.common.settings import aggregator_settings, splitter_settings
from lambdas.common.variables import SettingsError

DEADLINE_S = 10.0


def test_a_pause_of_the_machine_is_nobodys_silence():
    reads = iter([100.0, 100.5, 4_000.0, 4_000.2, 3_000.0])
    clock = WaitingClock(lambda: next(reads))
    told = [round(clock.tick(), 1) for _ in range(4)]
    assert told == [100.5, 101.5, 101.7, 101.7]


def test_a_summary_that_fits_no_message_loses_its_rarest_labels():
    labels = {f"{n:04d}" + "x" * 124: n for n in range(1, 1_001)}
    body = summary_body("demo", {"job": "j", "labels": labels, "started": 1.0})
    message = json.loads(body)
    assert len(body.encode()) <= m.MAX_MESSAGE_BYTES
    assert message["labels_omitted"] + len(message["labels"]) == 1_000
    assert max(labels.values()) in message["labels"].values()


def test_a_job_that_is_no_text_is_no_job():
    jobs = Jobs({}, 0.0)
    for job in (["j"], 5, None):
        record = {"stream": "a", "seq": 1, "status": "ok", "job": job}
        jobs.count(record, 0.0)
        jobs.late(record)
    assert jobs.open == {}


def test_records_in_any_script_are_cut_into_messages_that_fit(tmp_path):
    bus = RecordingBus()
    aggregator = Aggregator(aggregator_settings(environment(tmp_path)), bus, 0.0)
    items = [{"stream": "cam1", "seq": n, "id": f"i{n}", "low": 1} for n in (1, 2, 3)]
    results = [
        m.result_ok(item, "t", {"text": "像" * size}, {})
        for item, size in zip(items, (40_000, 13_000, 20_000))
    ]
    sent = [("demo/done", m.sync_message("e"))]
    sent += [("demo/done", p) for p in m.done_messages("b-e-1-1", "w0", "i", None, results)]
    aggregator.step([Message(*message) for message in sent], 1.0, 1.0)

    local = [payload for topic, payload in bus.sent if topic == "demo/results/cam1"]
    assert all(len(payload) <= m.MAX_MESSAGE_BYTES for payload in local)
    assert [r["seq"] for p in local for r in json.loads(p)["results"]] == [1, 2, 3]


def test_acks_of_many_streams_with_many_holes_fit_one_message(tmp_path):
    cameras = [f"c{n}" for n in range(40)]
    env = environment(tmp_path, FANFOLD_CAMERAS=",".join(cameras))
    bus = RecordingBus()
    aggregator = Aggregator(aggregator_settings(env), bus, 0.0)
    sent = [m.sync_message("e")]
    for camera in cameras:
        results = [
            m.result_ok({"stream": camera, "seq": 1_000_000 + 2 * n, "low": 999_999}, "t", {}, {})
            for n in range(300)
        ]
        sent += m.done_messages("b-e-1-1", "w0", "i", None, results)
    aggregator.step([Message("demo/done", payload) for payload in sent], 5.0, 1.0)

    acks = [payload for topic, payload in bus.sent if topic == "demo/ack"]
    assert len(acks) == 3
    assert all(len(payload) <= m.MAX_MESSAGE_BYTES for payload in acks)


def test_once_a_second_an_ack_tells_what_moved_and_some_of_a_thousand_idle_streams(tmp_path):
    cameras = [f"c{n:03d}" for n in range(200)]
    bus = RecordingBus()
    env = environment(tmp_path, FANFOLD_CAMERAS=",".join(cameras))
    aggregator = Aggregator(aggregator_settings(env), bus, 0.0)
    sent = [m.sync_message("e")]
    for camera in cameras:
        result = m.result_ok({"stream": camera, "seq": 1, "low": 1}, "t", {}, {})
        sent += m.done_messages("b-e-1-1", "w0", "i", None, [result])
    aggregator.step([Message("demo/done", payload) for payload in sent], 5.0, 1.0)

    def told(now, *messages):
        bus.sent.clear()
        aggregator.step([Message("demo/done", payload) for payload in messages], now, 1.0)
        return json.loads([payload for topic, payload in bus.sent if topic == "demo/ack"][-1])

    held = m.result_ok({"stream": "c150", "seq": 3, "low": 1}, "t", {}, {})
    (late,) = m.done_messages("b-e-1-2", "w0", "i", None, [held])
    ack = told(6.0, late)
    assert ack["low_watermark"]["c150"] == 1
    assert ack["acks"] == [{"stream": "c150", "ranges": [[3, 3]]}]
    assert len(ack["low_watermark"]) <= 1 + IN_TURN

    turns = [told(7.0 + n)["low_watermark"] for n in range(-(-len(cameras) // IN_TURN))]
    assert {name for turn in turns for name in turn} == set(cameras), "each within a few seconds"
    assert max(map(len, turns)) <= 1 + IN_TURN


def test_a_refused_publish_is_tried_again_and_then_said():
    class Full:
        calls = 0

        def publish(self, **_):
            self.calls += 1
            raise RuntimeError("queue full")

    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    core = Full()
    bus = GreengrassBus(core, give_up_s=1.0, clock=lambda: now[0], sleep=sleep)
    assert bus.publish("t", b"{}") is False
    assert core.calls > 3
    assert now[0] <= 1.0
    assert bus.refused == 1


class Together:
    """An SDK client as our runtime has it: some topics are refused, at first or always."""

    def __init__(self, refuses, at_first_only):
        self.lambda_client = self.ipc = self
        self._refuses, self._at_first_only = refuses, at_first_only
        self.alone = []

    def publish_all(self, messages):
        if len(messages) == 1:
            self.alone.append(messages[0][0])
            return ["" if self._at_first_only else "full"]
        return ["full" if topic in self._refuses else "" for topic, _ in messages]

    def publish(self, **_):
        raise AssertionError("the SDK writes each payload into a debug line twice")


def test_of_messages_sent_together_only_the_refused_are_sent_again():
    core = Together({"b", "c"}, at_first_only=True)

    assert GreengrassBus(core).publish_all([(topic, b"{}") for topic in "abcd"]) == [True] * 4
    assert core.alone == ["b", "c"]


def test_a_full_core_is_waited_for_once_for_all_messages_sent_together():
    core = Together({"b", "c"}, at_first_only=False)
    bus = GreengrassBus(core, give_up_s=0.0)

    taken = bus.publish_all([(topic, b"{}") for topic in "abcd"])
    assert taken == [True, False, False, True]
    assert core.alone == ["b"]


def test_a_single_message_goes_past_the_sdk_where_our_runtime_is_below_it():
    core = Together(set(), at_first_only=True)

    assert GreengrassBus(core).publish("a", b"{}") is True
    assert core.alone == ["a"]


def test_an_sdk_that_knows_single_messages_gets_single_messages():
    sent = []

    class Single:
        def publish(self, topic, **_):
            sent.append(topic)

    assert GreengrassBus(Single()).publish_all([("a", b"1"), ("b", b"2")]) == [True, True]
    assert sent == ["a", "b"]


def test_a_message_wakes_the_loop_once():
    """One that came during a step is taken by the next, and nothing rings for it afterwards."""
    steps, news = [], threading.Event()

    class Counting(Part):
        def step(self, messages, now, wall):
            steps.append([message.subject for message in messages])
            if steps[-1] and steps[-1][0].startswith("first"):
                loop.put("during", b"")
            else:
                news.set()

    loop = Loop(Counting(), tick_s=DEADLINE_S).start()
    for n in range(20):
        loop.put(f"first{n}", b"")
        assert news.wait(DEADLINE_S)
        news.clear()
    loop.stop()

    assert [] not in steps[:-1]


def test_only_messages_that_come_together_are_waited_for(monkeypatch):
    """After a step of several the next waits for more; one that comes alone never waits."""
    steps, taken = [], threading.Event()

    class Noting(Part):
        def step(self, messages, now, wall):
            steps.append([message.subject for message in messages])
            if steps[-1] == ["alone"]:
                for subject in ("a", "b"):
                    loop.put(subject, b"")
            elif steps[-1] == ["a", "b"]:
                loop.put("c", b"")
            if "d" in steps[-1]:
                taken.set()

    loop = Loop(Noting(), tick_s=DEADLINE_S)
    # What comes while it waits.
    monkeypatch.setattr("lambdas.common.loop.time.sleep", lambda _: loop.put("d", b""))
    loop.start()
    loop.put("alone", b"")
    assert taken.wait(DEADLINE_S)
    monkeypatch.undo()
    loop.stop()

    assert steps[:3] == [["alone"], ["a", "b"], ["c", "d"]]


def test_a_message_that_can_wait_is_taken_with_the_next_one_in_one_step():
    steps, taken = [], threading.Event()

    class Noting(Part):
        def step(self, messages, now, wall):
            steps.append([message.subject for message in messages])
            if "image" in steps[-1]:
                taken.set()

    loop = Loop(Noting(), tick_s=DEADLINE_S).start()
    eventually(lambda: loop._listens, "the loop waits for a message")
    loop.put("heartbeat", b"", can_wait=True)
    loop.put("heartbeat", b"", can_wait=True)
    loop.put("image", b"")
    assert taken.wait(DEADLINE_S)
    loop.stop()

    assert steps[0] == ["heartbeat", "heartbeat", "image"]


def test_a_message_that_can_wait_comes_alone_at_the_next_tick():
    taken = threading.Event()

    class Noting(Part):
        def step(self, messages, now, wall):
            if messages:
                taken.set()

    loop = Loop(Noting(), tick_s=0.01).start()
    loop.put("heartbeat", b"", can_wait=True)
    assert taken.wait(DEADLINE_S)
    loop.stop()


def test_a_part_says_after_which_messages_the_next_step_waits_for_others(monkeypatch):
    """An acknowledgement and the next image of who sends one at a time come together."""
    asked, steps, taken = [], [], threading.Event()
    monkeypatch.setattr("lambdas.common.loop.gather_s", lambda count: asked.append(count) or 0.0)

    class Noting(Part):
        def others_likely(self, messages):
            return sum(message.subject == "image" for message in messages)

        def step(self, messages, now, wall):
            steps.append([message.subject for message in messages])
            if "end" in steps[-1]:
                taken.set()

    loop = Loop(Noting(), tick_s=DEADLINE_S)
    loop.put("ack", b"")
    loop.put("image", b"")
    loop.start()
    eventually(lambda: loop._listens, "the loop waits for a message")
    loop.put("end", b"")
    assert taken.wait(DEADLINE_S)
    loop.stop()

    assert steps[:2] == [["ack", "image"], ["end"]]
    assert asked == [1]


@pytest.mark.parametrize(("messages", "most_s"), [(0, 0.0), (1, 0.0), (2, 0.002), (10_000, 0.008)])
def test_the_more_came_together_the_longer_the_others_are_waited_for(messages, most_s):
    assert gather_s(messages) <= most_s
    assert gather_s(messages) >= gather_s(max(messages - 1, 0))


def test_a_result_that_left_is_remembered_as_soon_as_nothing_waits(tmp_path):
    """Else a stop at that moment lets it leave a second time."""
    bus = RecordingBus()

    def aggregator():
        return Aggregator(aggregator_settings(environment(tmp_path)), bus, 0.0)

    first = aggregator()
    first.step([Message("demo/done", m.sync_message("e"))], 0.0, 0.0)
    result = m.result_ok({"stream": "cam1", "seq": 1, "low": 1}, "t", {}, {})
    messages = m.done_messages("b-e-1-1", "w0", "i", None, [result])
    first.step([Message("demo/done", payload) for payload in messages], 0.1, 0.1)
    first.rest()
    first.store._db.close()  # SIGTERM: no thread is waited for

    second = aggregator()
    second.step([], 0.2, 0.2)
    assert [topic for topic, _ in bus.sent if "results" in topic] == ["demo/results/cam1"]
    second.close()


def test_an_idle_aggregator_looks_less_often_and_one_with_something_due_does_not(tmp_path):
    bus = RecordingBus()
    part = Aggregator(aggregator_settings(environment(tmp_path)), bus, 0.0)
    asked = []

    def step(now, *messages):
        part.step([Message("demo/done", payload) for payload in messages], now, now)
        part.rest()
        asked.append(part.idle())

    def done(seq, **more):
        item = {"stream": "cam1", "seq": seq, "low": 1, **more}
        result = m.result_ok(item, "t", {}, {})
        return m.done_messages("b-e-1-1", "w0", "i", None, [result])

    step(0.0)  # nobody has told whose numbers are counted
    step(0.1, m.sync_message("e"))
    step(0.2, *done(2))  # waits for 1
    step(0.3, *done(1))
    bus.take_all = False
    step(0.4, *done(3))  # has not left
    bus.take_all = True
    step(0.5)
    step(0.6, *done(4, job="j"))  # a job that is open
    assert asked == [False, True, False, True, False, True, False]
    part.close()


@pytest.mark.parametrize(("idle", "ticks"), [(False, 1), (True, IDLE_TICKS)])
def test_the_loop_of_an_idle_part_waits_longer(monkeypatch, idle, ticks):
    waited, seen = [], threading.Event()

    class Noting(Part):
        def step(self, messages, now, wall):
            if len(waited) > 1:
                seen.set()

        def idle(self):
            return idle

    loop = Loop(Noting(), tick_s=0.001)
    monkeypatch.setattr(loop._wake_up, "is_woken_within", waited.append)
    loop.start()
    assert seen.wait(DEADLINE_S)
    loop.stop()
    assert set(waited) == {0.001 * ticks}


def test_stages_are_described_anew_when_an_image_came():
    stages = Stages()
    assert stages.describe() == {}
    for ms in (1.0, 3.0):
        stages.measure({"read": ms})
        assert stages.describe()["read"]["p99"] == ms


def test_the_loop_rests_only_where_nothing_waits():
    seen, done = [], threading.Event()

    class Noting(Part):
        def step(self, messages, now, wall):
            seen.append([message.subject for message in messages])
            if "a" in seen[-1]:
                loop.put("b", b"")

        def rest(self):
            seen.append("rest")
            done.set()

    loop = Loop(Noting(), tick_s=DEADLINE_S)
    loop.put("a", b"")
    loop.start()
    assert done.wait(DEADLINE_S)
    loop.stop()
    assert seen[:3] == [["a"], ["b"], "rest"]


def test_a_step_that_fails_ends_the_part_instead_of_going_on():
    ended = threading.Event()
    errors = []

    class Broken(Part):
        def step(self, messages, now, wall):
            raise RuntimeError("broken")

    def on_error(error):
        errors.append(error)
        ended.set()

    Loop(Broken(), on_error=on_error).start()
    assert ended.wait(DEADLINE_S)
    assert str(errors[0]) == "broken"


def test_every_problem_of_the_environment_is_told_at_once(tmp_path):
    env = environment(
        tmp_path, FANFOLD_BATCH="33", FANFOLD_CAMERAS="Cam", FANFOLD_WORK_TOPIC="a/#",
        FANFOLD_DROP_FOLDER="../x", FANFOLD_LOG_LEVEL="LOUD",
    )  # fmt: skip
    del env["FANFOLD_SITE"]
    with pytest.raises(SettingsError) as refused:
        splitter_settings(env)
    told = "\n".join(refused.value.problems)
    for name in ("BATCH", "CAMERAS", "WORK_TOPIC", "DROP_FOLDER", "LOG_LEVEL", "SITE"):
        assert f"FANFOLD_{name}" in told


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"])
def test_the_levels_of_a_greengrass_logger_are_known(tmp_path, level):
    settings = splitter_settings(environment(tmp_path, FANFOLD_LOG_LEVEL=level))
    assert settings.log_level == level
