"""What is ready soon goes over together, and nothing waits for what takes long."""

from __future__ import annotations

import errno
import queue

import numpy as np
from inference_kit import PROBE, jpeg, simulated, work

from lambdas.worker import hand_over, prepare
from lambdas.worker.hand_over import TOGETHER_S, HandOver


class Desk(HandOver):
    """In virtual time."""

    def __init__(self):
        self.now = 100.0
        super().__init__(lambda: self.now)

    def put_each(self, things, seconds):
        for thing in things:
            self.now += seconds
            self.put(thing)

    def there(self):
        found = []
        while True:
            try:
                found.append(self.get_nowait())
            except queue.Empty:
                return found


def test_what_comes_quickly_leaves_together_after_a_moment_and_in_order():
    desk = Desk()
    desk.put_each("abcd", TOGETHER_S / 3.9)
    assert desk.there() == ["a"]
    desk.put_each("e", TOGETHER_S / 3.9)
    assert desk.there() == ["b", "c", "d", "e"]


def test_what_takes_its_time_leaves_at_once():
    desk = Desk()
    for thing in "abc":
        desk.put_each(thing, TOGETHER_S)
        assert desk.there() == [thing]


def test_at_the_end_of_a_batch_nothing_stays_behind():
    desk = Desk()
    desk.put_each("abc", 0.0)
    desk.flush()
    desk.flush()
    assert desk.there() == ["a", "b", "c"]
    assert desk.waiting == 0


def test_images_that_are_ready_do_not_wait_for_one_that_cannot_be_read(
    begin, bus, images, monkeypatch
):
    monkeypatch.setattr(hand_over, "TOGETHER_S", 3600.0)
    for name in "abc":
        (images / f"{name}.jpg").write_bytes(jpeg(np.full((40, 40, 3), 99, np.uint8)))
    worker = begin(simulated(images.parent.parent / "m", wait_ms=0))
    runtime, real, seen = worker.pipeline._runtime, prepare.read_inside, []

    def infer(batch):
        seen.append(1)
        return [np.zeros((1, 1), np.float32)]

    def read(root, path, *more):
        if path == "cam1/c.jpg" and len(seen) < 2:
            raise OSError(errno.EIO, "until the others have been through the network")
        return real(root, path, *more)

    monkeypatch.setattr(runtime, "infer", infer)
    monkeypatch.setattr(prepare, "read_inside", read)
    worker.handle(work("b-1", "cam1/a.jpg", "cam1/b.jpg", "cam1/c.jpg"))
    worker.handle(PROBE)

    assert [result["status"] for result in bus.results()] == ["ok"] * 3
