"""Image files through a pool of processes that keep the model loaded, for several shards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from contract.messages import Record, result_failed
from lambdas.pool.alone import environment, job_of
from lambdas.pool.member import Job
from lambdas.pool.pool import Owner, Pool
from lambdas.pool.sizing import parse_gpus, processes
from replay.errors import CannotLoadError, ReplayError

#: How long images may be impossible to read, through no fault of their own.
PATIENCE_S = 300.0
#: Places of paths, from 0, and their records: those of one message of the pool at a time.
Taken = Callable[[Sequence[tuple[int, Record]]], None]


class Runner(Owner):
    """`python`: the interpreter of the pool's processes; empty: the one that runs this."""

    def __init__(
        self, package: str, workers: str = "auto", gpus: str = "", python: str = "",
        patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        gpu_ids = parse_gpus(gpus)
        self.processes = processes(workers, gpu_ids)
        env: dict[str, str] = environment(package, self.processes)
        if python:
            env["FANFOLD_POOL_PYTHON"] = python
        self._package = package
        self._lock = threading.Lock()
        #: Batch → whom to tell, and the images, from 1, of which nothing is known yet.
        self._open: dict[str, tuple[Taken, set[int]]] = {}
        self._count = 0
        self._why_not = ""
        self._patience_s, self._trouble_since = patience_s, 0.0
        self._pool = Pool(self.processes, gpu_ids, env, self).start()

    def submit(self, paths: Sequence[str], taken: Taken) -> None:
        """In one message of the pool; waits for room.

        `taken` is told of each path once, from another thread.
        """
        with self._lock:
            self._count += 1
            batch = f"r-{self._count}"
            self._open[batch] = (taken, set(range(1, len(paths) + 1)))
        items: list[Record] = []
        unnamed: list[Record] = []
        for number, path in enumerate(paths, 1):
            [item] = job_of(path, batch, stream="replay", seq=number, image=batch).items
            (items if _is_utf8(item["file"]) else unnamed).append(item)
        job = Job(batch, 1, items)
        if unnamed:
            detail = "its name is not UTF-8: rename it"
            self.done(job, [result_failed(item, "not_found", detail) for item in unnamed])
        if items:
            self._pool.submit(job)

    def check(self) -> None:
        """Raises `CannotLoadError`: the package cannot be loaded here; `ReplayError`: see below."""
        if self._why_not:
            raise CannotLoadError(f"{self._package}: {self._why_not}")

        self._check_reading()

    def _check_reading(self) -> None:
        """A volume that is away comes back, a disk that is broken does not."""
        now, trouble = time.monotonic(), self._pool.trouble
        if not trouble or not self._trouble_since:
            self._trouble_since = now if trouble else 0.0
        elif now - self._trouble_since >= self._patience_s:
            raise ReplayError(
                f"images cannot be read for {self._patience_s:.0f} s now, by no fault of theirs: "
                f"{trouble}; the log above names the first. Repair the volume, or take what "
                "is broken out of the archive, and start the same replay again"
            )

    def stop(self) -> None:
        self._pool.stop()

    def done(self, job: Job, results: list[Record]) -> None:
        with self._lock:
            taken, numbers = self._open.get(job.batch, (_nobody, set()))
            fresh = [(result["seq"] - 1, result) for result in results if result["seq"] in numbers]
            numbers.difference_update(place + 1 for place, _ in fresh)
            if not numbers:
                self._open.pop(job.batch, None)
        if fresh:  # else told before
            taken(fresh)

    def broken(self, message: str) -> None:
        self._why_not = message
        # From a thread of its own: a keeper of the pool tells, and is waited for there.
        threading.Thread(target=self._pool.stop, daemon=True).start()


def _nobody(_: Sequence[tuple[int, Record]]) -> None:
    """For a batch of which everything is told."""


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
