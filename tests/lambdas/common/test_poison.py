"""Which image is quarantined for a worker's end: by what is known of how it ended."""

import json

import pytest
from splitter_kit import JPEG, Bench, event

from contract import messages as m
from lambdas.common.poison import PoisonDetector


class Image:
    def __init__(self):
        self.deaths, self.ends, self.killed = 0, (), ()


class Held:
    def __init__(self, *images, alone=False, doubtful=False):
        self.images, self.alone, self.doubtful = images, alone, doubtful


def trials(poison, *, end, now=100.0):
    """How many ends it takes until an image is found poison that ends every worker."""
    image = Image()
    assert poison.died("w0", [Held(image, Image())], now, end) == []
    for ends in range(2, 20):
        if poison.died("w1", [Held(image, alone=True)], now + ends, end):
            return ends
    raise AssertionError("never found poison")


def in_trouble(deaths=10, now=99.0):
    """Workers end by the dozen, of something else."""
    poison = PoisonDetector(0.0)
    for _ in range(deaths):
        poison.died("w2", [Held(Image())], now)
    return poison


@pytest.mark.parametrize(("end", "ends"), [("SIGSEGV", 2), ("", 5), ("SIGKILL", 10)])
def test_in_trouble_a_crash_alone_needs_no_further_attempt_and_a_kill_most(end, ends):
    assert trials(in_trouble(), end=end) == ends


@pytest.mark.parametrize(("end", "ends"), [("SIGSEGV", 2), ("", 2), ("SIGKILL", 5)])
def test_in_peace_two_ends_are_enough_but_for_kills_from_outside(end, ends):
    assert trials(PoisonDetector(0.0), end=end) == ends


def test_a_crash_in_company_quarantines_nothing():
    assert in_trouble().died("w0", [Held(Image(), Image())], 100.0, end="SIGSEGV") == []


def test_what_a_poison_image_ended_counts_no_more_against_its_company():
    poison, guilty, innocent = PoisonDetector(0.0), Image(), Image()
    poison.died("w0", [Held(guilty, innocent)], 100.0)
    assert poison.died("w1", [Held(guilty, alone=True)], 101.0) == [guilty]

    assert poison.died("w0", [Held(innocent, alone=True)], 140.0) == []
    assert innocent.deaths == 1


def test_what_a_poison_image_ended_is_no_trouble_either():
    poison = PoisonDetector(0.0)
    guilty, second = Image(), Image()
    poison.died("w0", [Held(guilty, Image())], 100.0)
    poison.died("w1", [Held(second, Image())], 101.0)
    assert poison.died("w0", [Held(guilty, alone=True)], 102.0, end="SIGSEGV") == [guilty]

    assert poison.died("w1", [Held(second, alone=True)], 103.0) == [second]


def test_a_crash_that_the_image_may_not_have_met_quarantines_nothing():
    held = Held(Image(), alone=True, doubtful=True)
    assert in_trouble().died("w0", [held], 100.0, end="SIGSEGV") == []


def hello(bench, worker, incarnation, earlier_end=""):
    message = m.hello_message(worker, incarnation, None, earlier_end)
    bench.step(("demo/heartbeat", message))


def given(bench, since):
    """(worker, to, how many images) of the batches sent since."""
    return [
        (topic.rsplit("/", 1)[1], json.loads(payload)["to"], len(json.loads(payload)["items"]))
        for topic, payload in bench.bus.sent[since:]
        if topic.startswith("demo/work/") and b'"items"' in payload
    ]


def test_the_splitter_takes_the_cores_word_for_a_crash(tmp_path):
    bench = Bench(tmp_path, FANFOLD_WORKERS="w0,w1", FANFOLD_BATCH="2", FANFOLD_WINDOW="1")
    for _ in range(6):  # killed again and again: trouble of its own
        hello(bench, "w1", f"i{_}")
    hello(bench, "w0", "a")
    bench.step(("demo/control", event(drain=True, workers=["w1"])))
    bench.images_at_once([JPEG, JPEG + b"2"])
    bench.step(("demo/control", event(drain=False, workers=["w1"])))
    since = len(bench.bus.sent)
    hello(bench, "w0", "b", "SIGSEGV")
    assert given(bench, since) == [("w1", "i5", 1)]

    hello(bench, "w1", "c", "SIGSEGV")

    assert [(r["seq"], r["reason"]) for r in bench.records()] == [(1, "killed_workers")]


def test_a_batch_names_the_incarnation_that_it_is_for(tmp_path):
    bench = Bench(tmp_path, FANFOLD_WORKERS="w0")
    bench.heartbeat("w0", "9f2c")
    since = len(bench.bus.sent)
    bench.image(JPEG)
    assert given(bench, since) == [("w0", "9f2c", 1)]
