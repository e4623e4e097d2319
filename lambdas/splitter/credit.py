"""Who may be given work: windows per worker, and what each worker has in hand.

A worker has credits only while it answers. What it held when it died, fell silent or
hung is handed back to be dispatched again; a new incarnation begins with nothing.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Iterable

from contract.messages import Heartbeat
from contract.timing import ABSENT_AFTER_S, ABSENT_HEARTBEATS, DOUBT_S, MISSED_S, STALE_S
from lambdas.splitter.pace import ALIKE, batch_of, near_end, shares, uneven
from lambdas.splitter.workers import Batch, Worker, withheld

ABSENT_LONGEST_S = 60.0
_LEAST_LOADED = attrgetter("load", "done", "name")


class Credit:
    """Pure: time comes in as `now`, decisions go out as values."""

    def __init__(self, workers: Iterable[str], window: int, batch: int, timeout_s: float) -> None:
        self.workers = {name: Worker(name) for name in workers}
        self._window = window
        self._timeout_s = timeout_s
        # No honest pipeline takes longer: every image of every batch at its time limit.
        self._hard_s = (window + 1) * batch * timeout_s
        self._reserved: str | None = None
        self._ring, self._turn = list(self.workers.values()), 0
        self._paces_s: dict[str, float] = {}
        self.restarts = 0

    def assume(self, now: float) -> None:
        """Workers on demand never speak of themselves: the core starts one for a message."""
        for worker in self.workers.values():
            worker.state, worker.heard_at = "ready", now

    def drain(self, names: Iterable[str] | None, on: bool) -> None:
        """Give these workers (None: all) no new work, or work again; they keep what they have."""
        wanted = self.workers if names is None else names
        for name in wanted:
            if name in self.workers:
                self.workers[name].drained = on

    def pause(self, names: Iterable[str], until: float) -> None:
        """No new work for these workers; they keep what they have."""
        for name in names:
            if name in self.workers:
                self.workers[name].paused_until = until

    @property
    def drained(self) -> list[str]:
        return [w.name for w in self.workers.values() if w.drained]

    def able(self, now: float) -> list[Worker]:
        """Who takes work, now or when it has finished what it has."""
        # `_answers`, spelled out: every worker is looked at in every step with work.
        return [
            w
            for w in self.workers.values()
            if w.state == "ready"
            and now - w.heard_at <= STALE_S
            and not (w.alone or w.drained or w.paused_until or w.trouble)
            and w.name != self._reserved
        ]

    def idle(self, now: float) -> Worker | None:
        """Who gets a lone image: the next in turn that has nothing in hand, so that few of many
        workers are looked at. None: nobody is idle, or speeds differ, and `grant` knows better."""
        paces_s = self._paces_s.values()
        if paces_s and max(paces_s) >= ALIKE * min(paces_s):
            return None
        workers = self._ring
        for at in range(self._turn, self._turn + len(workers)):
            worker = workers[at % len(workers)]
            is_free = not worker.batches and worker.name != self._reserved
            if is_free and _answers(worker, now, STALE_S):
                self._turn = (at + 1) % len(workers)
                return worker
        return None

    def grant(
        self, waiting: int, largest: int, now: float, able: list[Worker] | None = None
    ) -> tuple[Worker, int] | None:
        """Who gets the next batch and how many images, of `waiting` and at most `largest`.

        The least loaded worker; towards the end of a backlog the one that is done soonest.
        None: nobody has a credit, or a faster worker will be done sooner than who has one.
        `able`: of this moment, where several batches are given at once.
        """
        # One look at each worker, whoever gets the batch: this is asked for every batch.
        able = self.able(now) if able is None else able
        free = [w for w in able if len(w.batches) < self._window]
        if not free:
            return None
        worker = min(free, key=_LEAST_LOADED)
        # Spread a small backlog over all workers, also those that have no credit just now;
        # fill batches where it is large.
        slots = len(free) * self._window - sum([len(w.batches) for w in free])
        share = -(-waiting // max(slots, len(able)))
        if uneven([w.pace.s_per_image for w in able]) and near_end(
            loads := [(w.load, w.pace.s_per_image) for w in able], waiting, self._window, largest
        ):
            due = zip(able, shares(loads, waiting))
            fit = [(w, count) for w, count in due if count and self._slots(w) > 0]
            if not fit:
                return None
            worker, count = min(
                fit, key=lambda one: (one[0].load + 1) * (one[0].pace.s_per_image or 0.0)
            )
            share = -(-count // self._slots(worker))
        return worker, min(share, batch_of(worker.pace.s_per_image, largest))

    def pick_idle(self, avoid: tuple[str, ...], now: float) -> Worker | None:
        """A worker with nothing in hand, for an image that must go alone.

        Where all are busy, the least loaded one is kept free until it is idle. Workers in
        `avoid` are taken only when there is no other. Only one that has just been heard, and
        has nothing in hand that this splitter does not know: it would not be alone there.
        """
        heard = [w for w in self.workers.values() if _answers(w, now, DOUBT_S)]
        ready = [w for w in heard if not w.has_unknown_batches]
        fit = [w for w in ready if w.name not in avoid] or ready
        if not fit:
            return None
        idle = [w for w in fit if not w.batches]
        if idle:
            self._reserved = None
            return idle[0]
        if self._reserved not in [w.name for w in fit]:
            self._reserved = min(fit, key=lambda w: (w.alone, w.load)).name
        return None

    def unreserve(self) -> None:
        self._reserved = None

    def assign(self, worker: Worker, batch: Batch) -> None:
        worker.take(batch)
        for image in batch.images:
            image.batch = (worker, batch)
            image.attempt += 1

    def finished(self, image: Any, now: float) -> None:
        """One image of a batch is committed; the last one returns the credit."""
        if image.batch is None:
            return
        worker, batch = image.batch
        image.batch = None
        worker.finished(batch)
        if batch.open == 0:
            worker.pace.finished(len(batch.images), batch.sent_at, now)
            if worker.pace.s_per_image:
                self._paces_s[worker.name] = worker.pace.s_per_image

    def heard(self, heartbeat: Heartbeat, now: float) -> list[Batch]:
        """A heartbeat or hello; returns what the worker lost by dying since the last one."""
        worker = self.workers.get(heartbeat.worker)
        if worker is None:
            return []
        lost: list[Batch] = []
        if worker.incarnation != heartbeat.incarnation:
            lost = self._withdraw(worker)
            self.restarts += bool(worker.incarnation)
            worker.incarnation = heartbeat.incarnation
            worker.model = None
        worker.missed.clear()
        worker.has_unknown_batches = not set(heartbeat.batches or ()) <= set(worker.batches)
        worker.heard_at = now
        worker.busy_ms = heartbeat.busy_ms
        worker.model = heartbeat.model or worker.model
        worker.trouble = heartbeat.trouble
        if heartbeat.trouble:
            for batch in worker.batches.values():
                if batch.id in (heartbeat.batches or ()):
                    batch.sent_at = now  # the machine's time, not the image's
        if heartbeat.busy_ms > self._timeout_s * 1000:
            lost += self._withdraw(worker)
            worker.state = "hung"
        else:
            worker.state = "ready"
        return lost

    def absent(self, heartbeat: Heartbeat, now: float) -> list[Batch]:
        """Batches that this heartbeat should have named; they are taken back."""
        worker = self.workers.get(heartbeat.worker)
        if worker is None or heartbeat.batches is None:
            return []
        named = set(heartbeat.batches)
        lost = []
        for batch in list(worker.batches.values()):
            if batch.id in named:
                batch.absent = 0
                continue
            absent_after_s = min(ABSENT_AFTER_S * 2 ** (batch.attempt - 1), ABSENT_LONGEST_S)
            if now - batch.sent_at >= absent_after_s:
                batch.absent += 1
            if batch.absent >= ABSENT_HEARTBEATS:
                worker.drop(batch)
                lost.append(batch)
        return lost

    def missing(self, now: float) -> list[Batch]:
        """What workers hold of whom nothing is heard, each batch once.

        A suspect stays: it is sent elsewhere only when it is known whether this
        worker has ended.
        """
        found = []
        for worker in self.workers.values():
            if worker.state == "ready" and now - worker.heard_at > MISSED_S:
                for batch in [b for b in worker.batches.values() if not b.alone]:
                    batch.missed = True
                    worker.drop(batch)
                    worker.missed.append(batch)
                    found.append(batch)
        return found

    def silent(self, now: float) -> dict[str, list[Batch]]:
        """Withdraw from workers that have not answered in time, or never finish."""
        lost: dict[str, list[Batch]] = {}
        for worker in self.workers.values():
            if worker.paused_until and now >= worker.paused_until:
                worker.paused_until = 0.0
            quiet = now - worker.heard_at > self._timeout_s
            if worker.state in ("ready", "hung") and quiet:
                worker.state = "silent"
                lost[worker.name] = self._withdraw(worker)
            for batch in list(worker.batches.values()) if worker.batches else ():
                if now - batch.sent_at > self._hard_s:
                    worker.drop(batch)
                    lost.setdefault(worker.name, []).append(batch)
        return lost

    @staticmethod
    def withdraw_batch(worker: Worker, batch: Batch) -> None:
        """A batch that the core did not take."""
        worker.drop(batch)

    def describe(self, worker: Worker) -> dict[str, Any]:
        """One worker for the stats message."""
        given = worker.state == "ready" and not withheld(worker)
        return {
            "state": worker.shown_state,
            "drained": worker.drained,
            "credits": max(self._window - len(worker.batches), 0) if given else 0,
            "inflight": worker.load,
            "incarnation": worker.incarnation,
            "done": worker.done,
            "busy_ms": round(worker.busy_ms),
            "model": worker.model,
            **({"trouble": worker.trouble} if worker.trouble else {}),
        }

    def _slots(self, worker: Worker) -> int:
        return self._window - len(worker.batches)

    @staticmethod
    def _withdraw(worker: Worker) -> list[Batch]:
        lost = [*worker.missed, *worker.batches.values()]
        for batch in lost:
            batch.doubtful = batch.sent_at > worker.heard_at + DOUBT_S
        worker.missed.clear()
        worker.drop_all()
        return lost


def _answers(worker: Worker, now: float, within_s: float) -> bool:
    heard = worker.state == "ready" and now - worker.heard_at <= within_s
    return heard and not withheld(worker)
