"""Decode ahead, infer, send: three threads, so that the network never waits for the others.

OpenCV, simplejpeg and the runtimes release the GIL while they compute. Tensors come
from a fixed pool, which bounds how far decoding runs ahead and keeps memory constant.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import Any, Callable

import numpy as np

from contract.messages import Record, Work
from lambdas.common.log import get_logger
from lambdas.common.waiting import ended_within
from lambdas.imaging.transform import Transform
from lambdas.worker.activity import Activity
from lambdas.worker.hand_over import HandOver
from lambdas.worker.hold import GIVEN_BACK, LET_GO_S, Hold
from lambdas.worker.network import Network
from lambdas.worker.prepare import Prepare
from lambdas.worker.send import Sender
from lambdas.worker.warm_up import Model
from lambdas.worker.work import Batch, Image

# Two in hand: the next is decoded while the network works on this one.
IN_HAND = 2
# One that waits for the network and one that is being decoded; a tensor may be megabytes.
DECODE_AHEAD = 2
# Of small ones as many as a hand-over may take together.
SMALL_TENSORS, SMALL_TENSORS_BYTES = 32, 4 << 20
EXIT_BROKEN = 70

_STOP = None
_log = get_logger("inference")


class Pipeline:
    """`submit` takes batches; results leave on `done_topic`, one message per batch."""

    def __init__(
        self,
        model: Model,
        sender: Sender,
        images_dir: str,
        transform: Transform,
        let_go_s: float = LET_GO_S,
    ) -> None:
        """`transform`: of the model's input; `let_go_s`: see `Hold`."""
        self._runtime = model.runtime
        # Where nobody looks at pixels no tensor is lent: the batches in hand are the bound.
        self._decodes = model.runtime.decodes()
        self._sender = sender
        self._network = Network(model, transform.regions)
        self.activity = Activity()
        self._ready = HandOver()
        prepare = Prepare(images_dir, transform, self._decodes, self._ready.flush)
        self.hold = Hold(prepare, self.activity, let_go_s)
        self._changed = threading.Condition()
        self._in_hand: dict[str, int] = {}
        self.done = 0
        self.failed = 0
        size = self._runtime.input.batch
        # Queues are bounded by what may be in hand: batches by `submit`, tensors by the pool.
        # Simple ones: a `Queue`'s lock and conditions cost 4 µs more at each hand-over.
        self._batches: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._tensors: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        each_bytes = 4 * int(np.prod(transform.shape))
        small = min(SMALL_TENSORS, SMALL_TENSORS_BYTES // each_bytes)
        for _ in range(max(size + DECODE_AHEAD, small)):
            self._tensors.put(np.zeros(transform.shape, np.float32))
        self._input = np.zeros(self._runtime.input.shape, np.float32)
        loops = (("decode", self._decode), ("infer", self._infer), ("send", self._send))
        self._threads = [
            threading.Thread(target=guarded, args=(loop,), name=f"fanfold-{name}", daemon=True)
            for name, loop in loops
        ]

    def start(self) -> Pipeline:
        for thread in self._threads:
            thread.start()
        return self

    def submit(self, work: Work) -> None:
        """Take a batch; return once all but it are finished, so that one call stays open."""
        with self._changed:
            self._in_hand[work.batch] = self._in_hand.get(work.batch, 0) + 1
        self._batches.put(Batch(work))
        self._wait(IN_HAND - 1)

    def drain(self) -> None:
        """Return when nothing is in hand."""
        self._wait(0)

    def in_hand(self) -> list[str]:
        with self._changed:
            return list(self._in_hand)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish what is in hand and end the threads."""
        self._batches.put(_STOP)
        for thread in self._threads:
            ended_within(thread, timeout_s)

    def _wait(self, allowed: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: sum(self._in_hand.values()) <= allowed)

    # Stage 1: files to tensors

    def _decode(self) -> None:
        while True:
            batch = self._batches.get()
            if batch is _STOP:
                self._ready.put((_STOP, None))
                self._ready.flush()
                return
            for index in range(len(batch.items)):
                image = Image(batch, index)
                if self._decodes:
                    image.tensor = self._free_tensor()
                failure = self.hold(image, image.tensor)
                if failure is not None:
                    self._give_back(image)
                self._ready.put((image, failure))
            self._ready.flush()

    def _free_tensor(self) -> np.ndarray:
        """A tensor to be filled; those that are ready make room for it."""
        if self._tensors.empty():
            self._ready.flush()
        return self._tensors.get()

    # Stage 2: tensors to results

    def _infer(self) -> None:
        while True:
            group = self._next_group()
            live = [image for image, failure in group if failure is None and image is not _STOP]
            for image, failure in group:
                if failure is not None:
                    self._finish(image, failure)
            if live:
                self._run(live)
            if group[-1][0] is _STOP:
                self._finished.put(_STOP)
                return

    def _next_group(self) -> list[tuple[Any, Any]]:
        """One decoded image, and those that are ready beside it, as far as the network takes."""
        group = [self._ready.get()]
        while len(group) < self._runtime.input.batch and group[-1][0] is not _STOP:
            try:
                group.append(self._ready.get_nowait())
            except queue.Empty:
                break
        return group

    def _run(self, images: list[Image]) -> None:
        batch = self._input_of(images)
        with self.activity.busy("inference"):
            records = self._network.answer(images, batch)
        for image, record in zip(images, records):
            self._give_back(image)
            self._finish(image, record)

    def _input_of(self, images: list[Image]) -> np.ndarray:
        """The network's input: an image that goes alone is not copied."""
        if not self._decodes:
            return self._input
        if len(self._input) == 1:
            tensor = images[0].tensor
            assert tensor is not None  # noqa: S101 - it was transformed into one
            return tensor[np.newaxis]
        for row, image in enumerate(images):
            self._input[row] = image.tensor
            self._give_back(image)
        return self._input

    def _give_back(self, image: Image) -> None:
        if image.tensor is not None:
            self._tensors.put(image.tensor)
            image.tensor = None

    def _finish(self, image: Image, result: Record) -> None:
        batch = image.batch
        batch.results[image.index] = None if result is GIVEN_BACK else result
        batch.open -= 1
        if batch.open == 0:
            self._finished.put(batch)

    # Stage 3: results to the aggregator

    def _send(self) -> None:
        while True:
            batch = self._finished.get()
            if batch is _STOP:
                return
            self._sender.send(batch)
            with self._changed:
                told = batch.records
                failed = sum(result["status"] != "ok" for result in told)
                self.failed += failed
                self.done += len(told) - failed
                left = self._in_hand.pop(batch.id, 1) - 1
                if left > 0:
                    self._in_hand[batch.id] = left
                self._changed.notify_all()


def guarded(loop: Callable[[], None]) -> None:
    """A stage that died would leave a worker that takes work and finishes none."""
    try:
        loop()
    except BaseException as error:
        _log.critical("a stage broke, ending this worker: %r", error, exc_info=error)
        os._exit(EXIT_BROKEN)
