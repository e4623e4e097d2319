"""A batch for the cloud is chosen once: sent again, it is the same message."""

from __future__ import annotations

import json

import pytest
from sim import Sim
from site_environment import environment

from contract.messages import MAX_MESSAGE_BYTES
from lambdas.aggregator.batches import batch_name, partition_of
from lambdas.aggregator.sinks import CLOUD, CloudSink
from lambdas.aggregator.store import JOB, RESULTS, Store
from lambdas.aggregator.tables import Row
from lambdas.common.bus import RecordingBus
from lambdas.common.health import HealthReport
from lambdas.common.settings import Health, aggregator_settings

T_IN = 1_790_000_000.5  # 2026-09-21 14:13 UTC
HOUR = "day=2026-09-21/hour=14"


def record(seq, **more):
    return json.dumps(dict({"stream": "cam1", "seq": seq, "status": "ok", "t_in": T_IN}, **more))


def row(body, kind=RESULTS, n=1):
    return Row(n, kind, "cam1", 1, 1, 1, len(body), body, "run-a")


class KilledError(Exception):
    """The process ends here, all that it had not committed with it."""


class Core(RecordingBus):
    """The process ends when it has handed over so many messages; None: it does not."""

    ends_after = None

    def publish(self, topic, payload):
        taken = super().publish(topic, payload)
        if len(self.sent) == self.ends_after:
            raise KilledError
        return taken


class Device:
    """The aggregator's store and its cloud sink; `restart` is a kill after the last commit."""

    def __init__(self, folder):
        self.settings = aggregator_settings(environment(folder, FANFOLD_CLOUD_BATCH_S="1"))
        self.path = str(folder / "store.sqlite3")
        self.bus = Core()
        self.open()
        self.store.adopt("1f3c22aa")
        self.store.begin_run("run-a", {"cam1": 0}, {})

    def open(self):
        self.store = Store(self.path, 1 << 20, (CLOUD,))
        self.sink = CloudSink(self.settings, self.store, self.bus)

    def restart(self):
        self.store._db.close()
        self.open()

    def told(self, *bodies, kind=RESULTS):
        for seq, body in enumerate(bodies):
            self.store.log(kind, "cam1", (seq, seq, 1), body)
        self.store.commit()

    def sent(self):
        return [json.loads(payload) for _, payload in self.bus.sent]


@pytest.fixture
def device(tmp_path):
    return Device(tmp_path)


def test_a_batch_sent_again_after_a_crash_is_the_same_message(device):
    device.told(record(1), record(2))
    device.sink.pump(0.0, T_IN)
    device.sink.pump(2.0, T_IN)
    device.restart()  # before the cursor was committed
    device.told(record(3))
    device.sink.pump(10.0, T_IN + 7200)

    first, again = device.bus.sent
    assert again == first
    assert [r["seq"] for r in device.sent()[0]["results"]] == [1, 2]
    device.sink.pump(20.0, T_IN)
    device.sink.pump(30.0, T_IN)
    assert [r["seq"] for r in device.sent()[2]["results"]] == [3]


@pytest.mark.parametrize("drained", [1, 2, 5])
def test_a_crash_while_a_backlog_drains_repeats_a_batch_as_it_was_and_goes_on(device, drained):
    """Cursors are committed once in a step, and a step sends as many batches as there are."""
    device.told(*(record(seq, filler="x" * 60_000) for seq in range(12)))
    device.bus.ends_after = drained
    with pytest.raises(KilledError):
        device.sink.pump(0.0, T_IN)
    device.restart()
    device.sink.pump(10.0, T_IN)
    device.sink.pump(20.0, T_IN)  # the last batch is not full

    sent = [payload for _, payload in device.bus.sent]
    assert max(map(len, sent)) <= MAX_MESSAGE_BYTES
    assert sent[drained] == sent[drained - 1], "the last one sent, once more"
    seqs = [[r["seq"] for r in message["results"]] for message in device.sent()]
    assert [seq for batch in [*seqs[:drained], *seqs[drained + 1 :]] for seq in batch] == [
        *range(12)
    ]


def test_a_batch_that_the_core_refused_stays_as_it_was_chosen(device):
    device.told(record(1))
    device.sink.pump(0.0, T_IN)
    device.bus.take_all = False
    device.sink.pump(2.0, T_IN)
    device.told(record(2))
    device.bus.take_all = True
    device.sink.pump(2.1, T_IN)

    assert [r["seq"] for r in device.sent()[0]["results"]] == [1]


def test_the_head_says_where_the_batch_belongs(device):
    device.told(record(1))
    device.sink.pump(0.0, T_IN)
    device.sink.pump(2.0, T_IN + 86_400)

    (message,) = device.sent()
    assert message["partition"] == HOUR
    assert message["epoch"] == "run-a"
    assert message["batch"] == batch_name("run-a", 1, record(1))


def test_a_batch_has_the_numbers_of_one_run_also_after_a_restart(device):
    device.told(record(0), record(1))
    device.store.begin_run("run-b", {"cam1": 1}, {})
    device.told(record(0), record(1), record(2))
    device.restart()
    for now in range(0, 8, 2):
        device.sink.pump(now, T_IN)

    found = [(sent["epoch"], [r["seq"] for r in sent["results"]]) for sent in device.sent()]
    assert found == [("run-a", [0, 1, 0]), ("run-b", [1, 2])]


def test_a_job_summary_carries_the_same_head(device):
    device.told(json.dumps({"v": 1, "job": "j1", "started": T_IN}), kind=JOB)
    device.sink.pump(0.0, T_IN)

    (message,) = device.sent()
    assert (message["job"], message["partition"]) == ("j1", HOUR)
    assert device.bus.sent[0][0] == "fanfold/demo/jobs"


def test_the_hour_is_that_of_the_first_image_that_has_one():
    assert partition_of([row(record(1, t_in=None)), row(record(2))], 0.0) == HOUR
    assert partition_of([row(record(1, t_in=-5.0))], T_IN) == HOUR
    assert partition_of([row('{"stream":"cam1","seq":1,"status":"gap"}')], T_IN) == HOUR


def test_a_store_that_was_lost_does_not_write_over_what_it_sent_before():
    assert batch_name("1f3c22aa", 1, record(1)) != batch_name("1f3c22aa", 1, record(2))


def test_every_message_of_a_busy_site_fits_and_lands_once_per_record(tmp_path):
    sim = Sim(tmp_path, FANFOLD_CLOUD_BATCH_S="0.1")
    sim.manifest("cam1", "m1", 300)
    sim.run(1.0)
    sim.kill("aggregator")
    sim.settle()

    seqs = {r["seq"] for r in sim.cloud if r["status"] != "gap"}
    assert seqs == set(range(1, 301))


def report(bus, topic="fanfold/demo/health"):
    settings = type("Settings", (), {"site": "demo"})()
    return HealthReport(settings, Health(topic, 60.0, "demo-core"), "splitter", bus, 0.0)


def test_health_says_what_was_added_since_it_was_last_heard():
    bus = RecordingBus()
    health = report(bus)
    health.pump({"accepted": 10}, {"backlog": 4}, 60.0, T_IN)
    bus.take_all = False
    health.pump({"accepted": 15}, {"backlog": 5}, 120.0, T_IN)
    bus.take_all = True
    health.pump({"accepted": 17}, {"backlog": 6}, 121.0, T_IN)

    messages = [json.loads(payload) for _, payload in bus.sent]
    assert [(m["accepted"], m["backlog"]) for m in messages] == [(10, 4), (7, 6)]
    assert messages[1]["interval_s"] == 61.0


def test_health_is_silent_before_its_time_and_without_a_topic():
    bus = RecordingBus()
    report(bus).pump({}, {}, 59.0, T_IN)
    report(bus, topic="").pump({}, {}, 600.0, T_IN)

    assert bus.sent == []


def test_both_parts_report_and_a_worker_that_was_replaced_is_counted(tmp_path):
    sim = Sim(tmp_path, FANFOLD_HEALTH_TOPIC="fanfold/demo/health", FANFOLD_HEALTH_EVERY_S="1")
    heard = []
    deliver = sim._deliver

    def listening(topic, payload):
        if topic == "fanfold/demo/health":
            heard.append(json.loads(payload))
        else:
            deliver(topic, payload)

    sim._deliver = listening
    sim.manifest("cam1", "m1", 20)
    sim.settle()
    sim.kill("w0")
    sim.run(6.0)

    parts = {m["part"]: 0 for m in heard}
    assert set(parts) == {"splitter", "aggregator"}
    assert sum(m.get("worker_restarts", 0) for m in heard) == 1
    assert sum(m.get("results", 0) for m in heard) == 20
    assert sum(m.get("accepted", 0) for m in heard) == 20
    assert max(len(json.dumps(m)) for m in heard) < MAX_MESSAGE_BYTES
