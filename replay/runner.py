"""Image files through a pool of processes that keep the model loaded, for several shards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from contract.messages import Record, result_failed
from lambdas.pool.alone import environment, job_of
from lambdas.pool.member import Job
from lambdas.pool.pool import Owner, Pool
from lambdas.pool.sizing import parse_gpus, processes
from replay.errors import CannotLoadError

Taken = Callable[[int, Record], None]


class Runner(Owner):
    """`python`: the interpreter of the pool's processes; empty: the one that runs this."""

    def __init__(
        self, package: str, workers: str = "auto", gpus: str = "", python: str = ""
    ) -> None:
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
        self._pool = Pool(self.processes, gpu_ids, env, self).start()

    def submit(self, paths: Sequence[str], taken: Taken) -> None:
        """In one message of the pool; waits for room.

        `taken` is called once for each path, from another thread, with its place and record.
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
        """Raises `CannotLoadError` when the package cannot be loaded here."""
        if self._why_not:
            raise CannotLoadError(
                f"{self._package}: {self._why_not}; its reason is in the log above"
            )

    def stop(self) -> None:
        self._pool.stop()

    def done(self, job: Job, results: list[Record]) -> None:
        for result in results:
            number = result["seq"]
            with self._lock:
                taken, numbers = self._open.get(job.batch, (None, set()))
                if taken is None or number not in numbers:
                    continue  # told before
                numbers.remove(number)
                if not numbers:
                    del self._open[job.batch]
            taken(number - 1, result)

    def broken(self, message: str) -> None:
        self._why_not = message
        # From a thread of its own: a keeper of the pool tells, and is waited for there.
        threading.Thread(target=self._pool.stop, daemon=True).start()


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
