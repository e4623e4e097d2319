"""The pool with no Greengrass: image files in, records in the same order out."""

from __future__ import annotations

import functools
import os
import queue
import threading
from typing import Any, Iterator, Sequence

from contract.accelerators.cards import GpuId
from contract.messages import Record
from lambdas.pool.member import Job
from lambdas.pool.pool import Owner, Pool
from lambdas.pool.sizing import cores_here, processes

ORDER_AHEAD = 64


class PoolError(Exception):
    """No process of the pool can start; the text says where to look."""


class _Collector(Owner):
    """Finished records and the pool's end, into one queue."""

    def __init__(self, package: str, finished: queue.Queue[Any]) -> None:
        self._package, self._finished = package, finished

    def done(self, job: Job, results: list[Record]) -> None:  # noqa: ARG002 - Owner's
        self._finished.put(results)

    def broken(self, message: str) -> None:
        self._finished.put(PoolError(f"{self._package}: {message}"))


def run(
    paths: Sequence[str], package: str, workers: str = "auto", gpu_ids: Sequence[GpuId] = ()
) -> Iterator[Record]:
    """One record for each path, in order: `status` is `ok` or `failed`, `file` the path.

    `package`: folder of an unpacked model package. At most `ORDER_AHEAD` images are under
    way beyond the next one due, so memory stays constant. Raises `PoolError`.
    """
    gpus, finished = list(gpu_ids), queue.Queue()  # type: ignore[var-annotated]
    count = processes(workers, gpus)
    pool = Pool(count, gpus, environment(package, count), _Collector(package, finished)).start()
    room = threading.Semaphore(ORDER_AHEAD)
    feeder = threading.Thread(target=_feed, args=(pool, paths, room), daemon=True)
    feeder.start()
    try:
        yield from _in_order(paths, finished, room)
    finally:
        pool.stop()


def _feed(pool: Pool, paths: Sequence[str], room: threading.Semaphore) -> None:
    for seq, path in enumerate(paths, 1):
        room.acquire()
        pool.submit(job_of(path, f"p-{seq}", stream="pool", seq=seq, image=f"i-{seq}"))


def _in_order(
    paths: Sequence[str], finished: queue.Queue[Any], room: threading.Semaphore
) -> Iterator[Record]:
    waiting: dict[int, Record] = {}
    due = 1
    while due <= len(paths):
        results = finished.get()
        if isinstance(results, PoolError):
            raise results
        waiting.update((result["seq"], result) for result in results if result["seq"] >= due)
        while due in waiting:
            yield dict(waiting.pop(due), file=paths[due - 1])
            due += 1
            room.release()


def job_of(path: str, batch: str, *, stream: str, seq: int, image: str) -> Job:
    """One image file. The volume is the whole file system here: paths are taken from its root."""
    file = _real(path).lstrip("/")
    return Job(batch, 1, [{"stream": stream, "seq": seq, "id": image, "file": file}])


def _real(path: str) -> str:
    """Without links. A folder is looked at once, and one of a million images only itself."""
    folder, name = os.path.split(path)
    found = os.path.join(_real_folder(folder), name)
    return os.path.realpath(found) if name in ("", ".", "..") or os.path.islink(found) else found


@functools.lru_cache(maxsize=1024)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def environment(package: str, count: int) -> dict[str, str]:
    """What processes of a pool without Greengrass are started with."""
    return {
        # Threads of all processes together are as many as there are cores.
        "OMP_NUM_THREADS": str(max(1, cores_here() // count)),
        "FANFOLD_LOG_LEVEL": "WARNING",
        **os.environ,
        "FANFOLD_SITE": "pool",
        "FANFOLD_ROLE": "inference",
        "FANFOLD_IMAGES_DIR": "/",
        "FANFOLD_STATE_DIR": "/nonexistent",  # nothing here writes state
        "FANFOLD_WORKER": "pool",
        # What cannot be read just now is tried again here: there is nobody to give it back to.
        "FANFOLD_POOL_WORKERS": str(count),
        "FANFOLD_MODEL_DIR": os.path.abspath(package),
        "FANFOLD_DONE_TOPIC": "pool/done",
        "FANFOLD_HEARTBEAT_TOPIC": "pool/heartbeat",
    }
