"""The inference function of the `decoupled` strategy: tensors come from rings in shared memory.

One thread takes tensors and runs the network, one publishes what came out. To the
core and the splitter it looks like any other worker, but that no work message reaches it.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from typing import Any, Callable, Mapping

import numpy as np

from contract.messages import Record, Work
from contract.regions import Regions
from contract.timing import LEASE_RENEW_S
from lambdas.common.fault_points import fault
from lambdas.common.log import get_logger
from lambdas.common.waiting import Flag, ended_within
from lambdas.tensors.folder import LOOK_AGAIN_S, LeaseFile
from lambdas.tensors.reader import Claim, Reader
from lambdas.worker.activity import Activity
from lambdas.worker.network import Network
from lambdas.worker.pipeline import guarded
from lambdas.worker.send import Sender
from lambdas.worker.warm_up import Model
from lambdas.worker.work import Batch

_STOP = None
_log = get_logger("inference")


class TensorPipeline:
    """What `HeartbeatSender`, `Watchdog` and `Worker` know of a pipeline, fed by a `Reader`."""

    def __init__(
        self,
        model: Model,
        sender: Sender,
        reader: Reader,
        lease: Callable[[], LeaseFile],
        regions: Mapping[str, Regions] = {},
    ):
        """`lease`: makes this worker's lease file, when it is ready to be found."""
        self._input = np.zeros(model.runtime.input.shape, np.float32)
        self._network = Network(model, regions)
        self._sender, self._reader, self._open_lease = sender, reader, lease
        self.activity = Activity()
        self.hold = None  # files are the transform functions' affair
        self.done = self.failed = 0
        self._changed = threading.Condition()
        self._claims: Counter[str] = Counter()
        self._ended = 0
        self._stopping = Flag()
        self._answered: queue.Queue[Any] = queue.Queue()
        self._threads = [
            threading.Thread(target=guarded, args=(loop,), name=f"fanfold-{name}", daemon=True)
            for name, loop in (("infer", self._infer), ("send", self._send), ("lease", self._renew))
        ]

    def start(self) -> TensorPipeline:
        self._lease = self._open_lease()
        for thread in self._threads:
            thread.start()
        return self

    def submit(self, work: Work) -> None:
        _log.error("batch %s ignored: this worker takes tensors, not images", work.batch)

    def drain(self) -> None:
        """Return when nothing is in hand, or something has been finished since the call."""
        with self._changed:
            ended = self._ended
            self._changed.wait_for(lambda: not self._claims or self._ended > ended)

    def in_hand(self) -> list[str]:
        """Batches of which this worker has a tensor."""
        with self._changed:
            return list(self._claims)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish what is in hand and end the threads."""
        self._stopping.set()
        for thread in self._threads:
            ended_within(thread, timeout_s)

    def _renew(self) -> None:
        """Also while the network runs: the watchdog ends a hung worker, this shows a stopped."""
        while not self._stopping.is_set_within(LEASE_RENEW_S):
            self._lease.renew()

    def _infer(self) -> None:
        while not self._stopping.is_set():
            claims = self._reader.take(len(self._input))
            if claims:
                self._run(claims)
            else:
                self._reader.look_within(LOOK_AGAIN_S)
        self._answered.put(_STOP)

    def _run(self, claims: list[Claim]) -> None:
        with self._changed:
            self._claims.update(claim.batch for claim in claims)
        fault("inference.after_claim")
        shape = self._input.shape
        if shape[0] == 1:
            # Its owner cannot change the tensor while this claim is open: no copy is needed.
            batch: np.ndarray = claims[0].tensor.reshape(shape)
        else:
            batch = self._input
            for row, claim in enumerate(claims):
                batch[row] = claim.tensor.reshape(shape[1:])
        with self.activity.busy("inference"):
            records = self._network.answer(claims, batch)
        fault("inference.after_answer")
        for claim, record in zip(claims, records):
            claim.sending()
            self._answered.put((claim, record))

    def _send(self) -> None:
        while True:
            first = self._answered.get()
            if first is _STOP:
                return
            answered = [first, *self._ready()]
            batches: dict[str, list[tuple[Claim, Record]]] = {}
            for claim, record in answered:
                batches.setdefault(claim.batch, []).append((claim, record))
            for batch_id, pairs in batches.items():
                self._publish(batch_id, pairs)

    def _ready(self) -> list[tuple[Claim, Record]]:
        """What else is answered by now: one message is cheaper than several."""
        found: list[tuple[Claim, Record]] = []
        while True:
            try:
                pair = self._answered.get_nowait()
            except queue.Empty:
                return found
            if pair is _STOP:
                self._answered.put(_STOP)
                return found
            found.append(pair)

    def _publish(self, batch_id: str, pairs: list[tuple[Claim, Record]]) -> None:
        batch = Batch(Work(batch_id, 1, [claim.item for claim, _ in pairs], None))
        batch.results = [record for _, record in pairs]
        fault("inference.before_publish")
        self._sender.send(batch)
        fault("inference.after_publish")
        failed = sum(record["status"] != "ok" for _, record in pairs)
        with self._changed:
            self.failed += failed
            self.done += len(pairs) - failed
            self._ended += len(pairs)
            for claim, _ in pairs:
                claim.finish()
                self._claims[claim.batch] -= 1
            self._claims = +self._claims
            self._changed.notify_all()
