"""Credit, heartbeat by heartbeat: what a heartbeat proves, and who gets work next."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from contract.messages import Heartbeat
from lambdas.splitter.backlog import Image
from lambdas.splitter.credit import DOUBT_S, STALE_S, Batch, Credit


def one_batch(now: float, *images: Image, alone: bool = False) -> Batch:
    return Batch("b", list(images) or [Image({"stream": "a", "seq": 1})], now, alone)


def heartbeat(
    worker: str = "w0", incarnation: str = "i", batches=None, busy_ms: float = 0.0
) -> Heartbeat:
    return Heartbeat(worker, incarnation, "heartbeat", None, busy_ms, batches)


@pytest.mark.parametrize(("after_s", "doubtful"), [(DOUBT_S, False), (DOUBT_S + 0.01, True)])
def test_work_sent_long_after_the_last_heartbeat_is_no_evidence(after_s, doubtful):
    credit = Credit(["w0"], 2, 1, 5.0)
    credit.heard(heartbeat(), 0.0)
    batch = one_batch(after_s)
    credit.assign(credit.workers["w0"], batch)
    credit.heard(heartbeat(incarnation="next"), 3.0)
    assert batch.doubtful == doubtful


def test_one_forgetful_heartbeat_is_not_enough_and_a_naming_one_starts_the_count_anew():
    credit = Credit(["w0"], 2, 1, 5.0)
    credit.heard(heartbeat(), 0.0)
    batch = one_batch(0.0)
    credit.assign(credit.workers["w0"], batch)
    assert credit.absent(heartbeat(batches=[]), 2.0) == []
    assert credit.absent(heartbeat(batches=["b"]), 3.0) == []
    assert credit.absent(heartbeat(batches=[]), 4.0) == []
    assert credit.absent(heartbeat(batches=[]), 5.0) == [batch]


def test_the_timeout_of_a_lost_batch_doubles_per_attempt_to_a_minute_at_most():
    for attempt, patience_s in [(1, 2.0), (2, 4.0), (3, 8.0), (6, 60.0), (50, 60.0)]:
        credit = Credit(["w0"], 2, 1, 1e9)
        credit.heard(heartbeat(), 0.0)
        image = Image({"stream": "a", "seq": 1})
        image.attempt = attempt - 1
        credit.assign(credit.workers["w0"], one_batch(0.0, image))
        for _ in range(3):
            assert credit.absent(heartbeat(batches=[]), patience_s - 0.01) == []
        assert credit.absent(heartbeat(batches=[]), patience_s) == []
        assert len(credit.absent(heartbeat(batches=[]), patience_s)) == 1


def test_a_heartbeat_of_nobody_we_know_changes_nothing():
    credit = Credit(["w0"], 2, 1, 5.0)
    assert credit.heard(heartbeat("stranger"), 0.0) == []
    assert credit.absent(heartbeat("stranger", batches=[]), 0.0) == []
    assert credit.absent(heartbeat(batches=None), 99.0) == []
    assert credit.workers["w0"].state == "unknown"


def test_a_worker_keeps_its_model_until_its_next_incarnation():
    credit = Credit(["w0"], 2, 1, 5.0)
    credit.heard(Heartbeat("w0", "i", "hello", {"name": "m"}), 0.0)
    credit.heard(heartbeat(busy_ms=12.4), 1.0)
    told = credit.describe(credit.workers["w0"])
    assert (told["model"], told["busy_ms"]) == ({"name": "m"}, 12)
    credit.heard(heartbeat(incarnation="next"), 2.0)
    assert credit.describe(credit.workers["w0"])["model"] is None


def granted(credit: Credit, now: float, waiting: int = 99):
    found = credit.grant(waiting, 8, now)
    return found[0].name if found else None


def test_equals_share_work_by_what_they_have_done_then_by_name():
    credit = Credit(["w1", "w0"], 2, 1, 5.0)
    for name in ("w0", "w1"):
        credit.heard(heartbeat(name), 0.0)
    assert granted(credit, 0.0) == "w0"
    credit.workers["w0"].done = 1
    assert granted(credit, 0.0) == "w1"


def test_an_image_of_no_batch_finishes_without_a_trace():
    image = SimpleNamespace(batch=None)
    Credit(["w0"], 2, 1, 5.0).finished(image, 0.0)
    assert vars(image) == {"batch": None}


def test_workers_on_demand_count_as_ready_without_a_heartbeat():
    credit = Credit(["w0"], 2, 1, 5.0)
    assert granted(credit, 7.0) is None
    credit.assume(7.0)
    assert granted(credit, 7.0) == "w0"
    assert granted(credit, 7.0 + STALE_S) == "w0"
    assert granted(credit, 7.1 + STALE_S) is None


def test_nobody_is_alone_on_a_worker_that_names_a_batch_which_this_splitter_does_not_know():
    credit = Credit(["w0"], 2, 1, 5.0)
    credit.heard(heartbeat(batches=["of the process before"]), 0.0)
    assert credit.pick_idle((), 0.1) is None
    credit.heard(heartbeat(batches=[]), 1.0)
    assert credit.pick_idle((), 1.1) is credit.workers["w0"]
