"""A worker from its hello to its end: heartbeats, incarnations, the watchdog."""

import threading

from inference_kit import DEADLINE_S, PROBE, simulated, work
from worker_kit import Gate

from lambdas.worker import worker as worker_module
from lambdas.worker.heartbeat import EXIT_HUNG, Watchdog


def test_hello_is_said_until_it_is_taken_and_heartbeats_follow(begin, bus, images, tmp_path):
    bus.take_all = False
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    bus.take_all = True
    bus.wait(lambda: len(bus.messages("s/heartbeat")) >= 2)
    hello, heartbeat = bus.messages("s/heartbeat")[:2]
    assert (hello["kind"], heartbeat["kind"]) == ("hello", "heartbeat")
    assert hello["incarnation"] == heartbeat["incarnation"]
    assert hello["model"] == heartbeat["model"]
    assert hello["model"]["name"] == "sim"
    assert heartbeat["batches"] == worker.pipeline.in_hand() == []


def test_a_heartbeat_says_which_batches_are_in_hand_and_for_how_long(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    gate = Gate(worker)
    worker.handle(work("b-1", "cam1/coffee.jpg"))
    bus.wait(lambda: any(b.get("busy_ms") for b in bus.messages("s/heartbeat")))
    gate.open.set()
    busy = next(b for b in bus.messages("s/heartbeat") if b.get("busy_ms"))
    assert busy["batches"] == ["b-1"]


def test_two_incarnations_of_a_worker_have_two_names(begin, bus, images, tmp_path):
    model = simulated(tmp_path / "m", wait_ms=0)
    for _ in range(2):
        begin(model)
    bus.wait(lambda: sum(b["kind"] == "hello" for b in bus.messages("s/heartbeat")) == 2)
    hellos = [b for b in bus.messages("s/heartbeat") if b["kind"] == "hello"]
    assert hellos[0]["incarnation"] != hellos[1]["incarnation"]


def test_on_demand_says_no_hello_and_returns_when_its_batch_is_done(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0), FANFOLD_ON_DEMAND="1")
    worker.handle(work("b-1", "cam1/coffee.jpg"))
    assert len(bus.results()) == 1
    assert bus.messages("s/heartbeat") == []


def test_the_watchdog_ends_a_worker_whose_network_hangs(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    gate = Gate(worker)
    codes, ended = [], threading.Event()
    watchdog = Watchdog(worker.pipeline, 0.05, lambda code: (codes.append(code), ended.set()))
    worker.handle(work("b-1", "cam1/coffee.jpg"))
    watchdog.start()
    assert ended.wait(DEADLINE_S)
    gate.open.set()
    watchdog.stop()
    assert codes == [EXIT_HUNG]


def test_an_idle_worker_is_not_taken_for_a_hung_one(begin, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    assert worker.pipeline.activity.longest() == ("", 0.0)


def test_what_is_no_work_message_is_logged_and_nothing_else_happens(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    for event in (b"\xff", {}, {"v": 2}, {"v": 1, "items": [], "batch": "b"}, []):
        worker.handle(event)
    worker.handle(PROBE)
    assert bus.results() == []


def test_a_batch_for_an_earlier_incarnation_of_the_worker_is_left_alone(
    begin, bus, images, tmp_path
):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    bus.wait(lambda: bus.messages("s/heartbeat"))
    hello = bus.messages("s/heartbeat")[0]
    worker.handle({**work("b-1", "cam1/coffee.jpg"), "to": "earlier"})
    worker.handle({**work("b-2", "cam1/coffee.jpg"), "to": hello["incarnation"]})
    worker.handle(PROBE)
    assert [message["batch"] for message in bus.messages("s/done")] == ["b-2"]


def test_hello_says_how_the_earlier_process_ended_where_the_core_told(begin, bus, tmp_path):
    begin(simulated(tmp_path / "m", wait_ms=0), FANFOLD_EARLIER_END="SIGSEGV")
    bus.wait(lambda: bus.messages("s/heartbeat"))
    assert bus.messages("s/heartbeat")[0]["earlier_end"] == "SIGSEGV"


def test_a_worker_keeps_nothing_of_what_loading_its_model_took_for_a_moment(
    begin, tmp_path, monkeypatch
):
    order = []
    verify = worker_module.verify
    monkeypatch.setattr(
        worker_module, "verify", lambda *given: (verify(*given), order.append("verified"))[0]
    )
    monkeypatch.setattr(worker_module, "give_back", lambda: order.append("given back"))
    begin(simulated(tmp_path / "m", wait_ms=0))
    assert order == ["verified", "given back"]
