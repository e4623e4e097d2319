"""The transform function's two threads: one fills slots, one watches what becomes of them."""

from __future__ import annotations

import threading
import time
from typing import Callable

from contract.messages import Record, Work
from contract.timing import LEASE_LOOK_S, LEASE_MISSED_S
from lambdas.common.fault_points import fault
from lambdas.common.log import get_logger
from lambdas.common.loop import WaitingClock
from lambdas.common.waiting import Flag, ended_within
from lambdas.tensors.folder import LOOK_AGAIN_S, WakeFifo, Watch
from lambdas.tensors.ring import Ring
from lambdas.transform.engine import Tensor, Transformer
from lambdas.worker.activity import Activity
from lambdas.worker.hold import GIVEN_BACK, Hold
from lambdas.worker.pipeline import IN_HAND, guarded
from lambdas.worker.prepare import Prepare
from lambdas.worker.send import Sender
from lambdas.worker.work import Batch

_log = get_logger("transform")


class Leases:
    """Lease files of the inference functions, looked at once a second."""

    def __init__(
        self, paths: dict[str, str], limit_s: float, probe: Callable[[str], None], now: float
    ) -> None:
        """`probe` asks a worker that is alive and does nothing: the core ends a hung one."""
        self._watches = {name: Watch(path, now) for name, path in paths.items()}
        self.limit_s, self._probe = limit_s, probe
        self._probed_at = dict.fromkeys(paths, now)
        self._looked_at = now - LEASE_LOOK_S
        self.served = False
        self.stopped: frozenset[int] = frozenset()

    def look(self, now: float) -> None:
        """`served`: an inference function is at work. `stopped`: incarnations without a renewal."""
        if now - self._looked_at < LEASE_LOOK_S:
            return
        self._looked_at = now
        self.served = False
        stopped = set()
        for name, watch in self._watches.items():
            watch.look(now)
            if watch.alive and watch.still_s(now) > LEASE_MISSED_S:
                stopped.add(watch.incarnation)
            hung = watch.alive and watch.still_s(now) > self.limit_s
            self.served |= watch.alive and not hung
            if hung and now - self._probed_at[name] > self.limit_s:
                _log.warning("%s is alive and does nothing for %.0f s", name, watch.still_s(now))
                self._probed_at[name] = now
                self._probe(name)
        self.stopped = frozenset(stopped)

    def crashed(self, incarnation: int) -> bool | None:
        """How this incarnation ended; None before its successor's lease file shows it."""
        found = (watch.ends.get(incarnation) for watch in self._watches.values())
        return next((end for end in found if end is not None), None)


class TransformPipeline:
    """What `HeartbeatSender`, `Watchdog` and a handler know of a pipeline."""

    def __init__(
        self,
        ring: Ring,
        prepare: Prepare,
        sender: Sender,
        leases: Leases,
        fifos: tuple[WakeFifo, WakeFifo],
    ) -> None:
        """`fifos`: the one that wakes us, and the one that wakes the inference functions."""
        self._clock = WaitingClock()
        self._engine = Transformer(ring, self._clock.now, leases.limit_s)
        self._tensors = [ring.tensor(slot).reshape(prepare.shape) for slot in range(ring.slots)]
        self._sender, self._leases = sender, leases
        self._fifo, self._others = fifos
        self.served = Flag()
        self.activity = Activity()
        self.hold = Hold(prepare, self.activity)
        self._changed = threading.Condition()
        self._failures: list[tuple[Tensor, Record]] = []
        self._woken = 0
        self._stopping = False
        self._threads = [
            threading.Thread(target=guarded, args=(loop,), name=f"fanfold-{name}", daemon=True)
            for name, loop in (("decode", self._decode), ("watch", self._watch))
        ]

    @property
    def done(self) -> int:
        return self._engine.done

    @property
    def failed(self) -> int:
        return self._engine.failed

    def start(self) -> TransformPipeline:
        for thread in self._threads:
            thread.start()
        return self

    def submit(self, work: Work) -> None:
        """Take a batch; return once all but it are finished, so that one call stays open."""
        with self._changed:
            self._engine.take(work)
            self._changed.notify_all()
        self._wait(IN_HAND - 1)

    def drain(self) -> None:
        """Return when nothing is in hand."""
        self._wait(0)

    def _wait(self, allowed: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._engine.batches <= allowed)

    def in_hand(self) -> list[str]:
        """Batches with an image whose result is not yet published."""
        with self._changed:
            return self._engine.in_hand()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the threads; what is in hand is somebody else's then."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            ended_within(thread, timeout_s)

    def _decode(self) -> None:
        while True:
            with self._changed:
                begun = self._begin()
            if begun is None:
                return
            tensor, slot = begun
            failure = self.hold(tensor, self._tensors[slot])
            fault("transform.before_offer")
            with self._changed:
                if failure is None:
                    failure = self._engine.offer(tensor, slot, time.monotonic_ns())
                else:
                    self._engine.cancel(slot)
                if failure is not None:
                    self._failures.append((tensor, failure))
                    self._fifo.wake()  # the other thread publishes it
            self._wake_for_offers()
            fault("transform.after_offer")

    def _begin(self) -> tuple[Tensor, int] | None:
        """The next image and its slot; None: stop."""
        while not self._stopping:
            begun = self._engine.begin()
            if begun is not None:
                return begun
            self._changed.wait()
        return None

    def _watch(self) -> None:
        while not self._stopping:
            self._fifo.is_woken_within(LOOK_AGAIN_S)
            now = self._clock.tick()
            self._leases.look(now)
            if self._leases.served:
                self.served.set()
            with self._changed:
                finished = [
                    *self._engine.step(
                        now, self._leases.served, self._leases.stopped, self._leases.crashed
                    ),
                    *self._failures,
                ]
                self._failures = []
                self._changed.notify_all()
            fault("transform.after_finish")
            self._wake_for_offers()
            self._publish(finished)

    def _wake_for_offers(self) -> None:
        """One wake-up for each tensor that has been offered since the last time."""
        with self._changed:
            count, self._woken = self._engine.offers - self._woken, self._engine.offers
        for _ in range(count):
            self._others.wake()

    def _publish(self, finished: list[tuple[Tensor, Record]]) -> None:
        batches: dict[str, list[tuple[Tensor, Record]]] = {}
        for tensor, record in finished:
            batches.setdefault(tensor.batch.id, []).append((tensor, record))
        for batch_id, pairs in batches.items():
            batch = Batch(Work(batch_id, 1, [tensor.item for tensor, _ in pairs], None))
            batch.results = [None if r is GIVEN_BACK else r for _, r in pairs]
            self._sender.send(batch)
            with self._changed:
                for tensor, record in pairs:
                    if record is GIVEN_BACK:
                        self._engine.give_back(tensor)
                    else:
                        self._engine.settle(tensor, ok=False)
                self._changed.notify_all()
