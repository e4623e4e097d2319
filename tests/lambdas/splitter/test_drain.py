"""An operator's drain: no new work for some workers, nothing lost, until undrained."""

from __future__ import annotations

import json

import pytest
from splitter_kit import JPEG, Bench, event

from contract import messages as m

WORKERS = ("w0", "w1", "w2")


def control(drain, *workers) -> tuple[str, bytes]:
    return "demo/control", event(drain=drain, workers=list(workers))


def bench_of(tmp_path) -> Bench:
    bench = Bench(tmp_path, FANFOLD_BATCH="1", FANFOLD_WINDOW="1")
    for worker in WORKERS:
        bench.heartbeat(worker)
    return bench


def images(bench: Bench, n: int) -> None:
    before = len(bench.bus.sent)
    bench.images_at_once([JPEG + bytes([before % 251, i]) for i in range(n)])


def work_of(bench: Bench) -> list[str]:
    """Who got images, in order; probes are no work."""
    sent = [(t, m.parse_work(p)) for t, p in bench.bus.sent if t.startswith("demo/work/")]
    return [topic.rsplit("/", 1)[1] for topic, work in sent if work.items]


def states(bench: Bench) -> dict[str, str]:
    credit = bench.splitter.credit
    return {w.name: credit.describe(w)["state"] for w in credit.workers.values()}


def test_a_drained_worker_gets_no_new_work_and_the_others_do(tmp_path):
    bench = bench_of(tmp_path)
    bench.step(control(True, "w1"))
    images(bench, 3)
    assert set(work_of(bench)) == {"w0", "w2"}
    assert states(bench) == {"w0": "ready", "w1": "drained", "w2": "ready"}


def test_a_draining_worker_keeps_what_it_has_until_it_is_done(tmp_path):
    bench = bench_of(tmp_path)
    images(bench, 3)
    bench.step(control(True, "w0"))
    assert states(bench)["w0"] == "draining"
    bench.ack(cam1=3)
    assert states(bench)["w0"] == "drained"
    assert bench.splitter.dispatch.redispatched == 0


def test_with_all_drained_images_are_accepted_and_wait_until_undrained(tmp_path):
    bench = bench_of(tmp_path)
    bench.step(("demo/control", event(drain=True)))
    images(bench, 2)
    assert [a["answer"] for a in bench.answers()] == ["accepted"] * 2
    assert bench.work() == []

    bench.step(("demo/control", event(drain=False)))
    assert len(bench.work()) == 2


def test_a_drain_survives_a_restart_of_the_splitter(tmp_path):
    bench = bench_of(tmp_path)
    bench.step(control(True, "w0"))
    bench.restart()
    assert bench.splitter.credit.drained == ["w0"]
    bench.step(control(False, "w0"))
    bench.restart()
    assert bench.splitter.credit.drained == []


def test_a_drained_worker_that_hangs_is_shown_as_hung(tmp_path):
    bench = bench_of(tmp_path)
    bench.step(control(True, "w0"))
    bench.step(after_s=10.0)
    assert states(bench)["w0"] == "silent"


def test_an_image_that_must_go_alone_is_not_given_to_a_drained_worker(tmp_path):
    bench = bench_of(tmp_path)
    images(bench, 3)
    bench.step(control(True, "w1", "w2"))
    bench.heartbeat("w1", "i1")  # w1 died with an image in hand: it is a suspect now
    bench.ack(cam1=1)
    assert work_of(bench)[3:] == ["w0"]


@pytest.mark.parametrize(
    "body",
    [
        {"drain": "yes"},
        {"drain": 1},
        {"drain": True, "workers": "w0"},
        {"drain": True, "workers": [1]},
    ],
)
def test_a_malformed_control_message_changes_nothing(tmp_path, body):
    bench = bench_of(tmp_path)
    bench.step(("demo/control", json.dumps({"v": 1, **body}).encode()))
    assert bench.splitter.credit.drained == []


def test_workers_that_are_not_there_are_ignored(tmp_path):
    bench = bench_of(tmp_path)
    bench.step(control(True, "w9"))
    assert bench.splitter.credit.drained == []


def test_the_stats_say_who_is_drained_also_of_one_that_does_not_answer(tmp_path):
    bench = bench_of(tmp_path)
    bench.step(control(True, "w0"))
    bench.step(after_s=10.0)
    credit = bench.splitter.credit
    told = {w.name: credit.describe(w) for w in credit.workers.values()}
    assert (told["w0"]["state"], told["w0"]["drained"]) == ("silent", True)
    assert told["w1"]["drained"] is False


def pause(seconds: int, *workers: str) -> tuple[str, bytes]:
    return "demo/control", event(pause=list(workers), seconds=seconds)


def test_a_paused_worker_gets_no_work_until_it_is_told_so_whatever_its_process(tmp_path):
    bench = bench_of(tmp_path)
    bench.step(pause(60, "w1"))
    images(bench, 3)
    assert set(work_of(bench)) == {"w0", "w2"}
    assert states(bench)["w1"] == "drained"

    bench.heartbeat("w1", incarnation="next")
    bench.ack(cam1=3)
    images(bench, 3)
    assert "w1" not in work_of(bench)

    bench.step(pause(0, "w1"))
    bench.ack(cam1=6)
    images(bench, 3)
    assert "w1" in work_of(bench)


def test_a_pause_ends_by_itself_and_is_no_operators_drain(tmp_path):
    bench = bench_of(tmp_path)
    bench.step(pause(1, "w1"))
    assert bench.splitter.credit.drained == []

    bench.now += 1.5
    bench.heartbeat("w1")
    bench.step()
    assert states(bench)["w1"] == "ready"
