"""The input transform alone, in fresh processes: the article's against Fanfold's two modes.

`article` is `article_pool.transform`; `fast` and `exact` read and transform a file as a worker
does, with the allocator's settings that the planner renders. Page faults are the kernel's
count (`getrusage`) over the measured images, after two that warm up.
Device interpreter. Prints one JSON object:
    python -m bench.methods.transforms --mode fast --workers 2 IMAGES…
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, Sequence, Tuple

from bench.methods.peer import Result, result

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event, Semaphore

SIDE_PX = 512
WARM_UP = 2
START_S, RUN_S = 60, 600
#: As infra/planning/threads.py renders them; read by the C library when a process starts.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "30000000"}
MODES = ("article", "fast", "exact")
#: When a process started and when each of its images was done (seconds), its page faults, and
#: its processor seconds.
Ran = Tuple[List[float], int, float]


class Options(argparse.Namespace):
    mode: str
    workers: int
    count: int
    images: list[str]


class Transformed(Result):
    cpu_ms_per_image: float
    faults_per_image: float
    stages_ms: dict[str, dict[str, float]]


def transformer(mode: str) -> Callable[[str], object]:
    """A function of one path, for one thread of this process."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    if mode == "article":
        from bench.methods.article_network import transform

        return lambda path: transform(path, (1, 3, SIDE_PX, SIDE_PX)).wait_to_read()

    from lambdas.common.paths import read_inside
    from lambdas.imaging.header import MAX_BYTES
    from lambdas.imaging.transform import Transform
    from lambdas.model.spec import Input

    rgb, none = "rgb", (0.0, 0.0, 0.0)
    shape = (1, 3, SIDE_PX, SIDE_PX)
    spec = Input("data", shape, "NCHW", rgb, none, (1.0, 1.0, 1.0), "stretch", 0, "bilinear")
    own = Transform(spec, mode)
    tensor = np.zeros(own.shape, np.float32)

    def run(path: str) -> None:
        folder, name = os.path.split(path)
        own(read_inside(folder, name, MAX_BYTES), tensor)

    return run


def loop(mode: str, paths: Sequence[str], ready: Semaphore, go: Event, out: Queue[Ran]) -> None:
    run = transformer(mode)
    for path in paths[:WARM_UP]:
        run(path)
    ready.release()
    go.wait()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    cpu = time.process_time()
    times = [time.perf_counter()]
    for path in paths:
        run(path)
        times.append(time.perf_counter())
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    out.put((times, faults, time.process_time() - cpu))


def measure(mode: str, workers: int, paths: list[str]) -> Transformed:
    """images/s from the first process's start to the last one's end (CLOCK_MONOTONIC)."""
    if mode != "article":
        os.environ.update(ALLOCATOR)
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    out: Queue[Ran] = context.Queue()
    shares = [paths[i::workers] for i in range(workers)]
    processes = [
        context.Process(target=loop, args=(mode, share, ready, go, out), daemon=True)
        for share in shares
    ]
    for process in processes:
        process.start()
    for _ in processes:
        if not ready.acquire(timeout=START_S):
            raise SystemExit("a process did not start; its error is above")
    go.set()
    found = [out.get(timeout=RUN_S) for _ in processes]
    for process in processes:
        process.join()
    total_s = max(t[-1] for t, _, _ in found) - min(t[0] for t, _, _ in found)
    took_ms = sorted((b - a) * 1e3 for times, _, _ in found for a, b in zip(times, times[1:]))
    return {
        **result(mode, workers, len(paths), total_s),
        "cpu_ms_per_image": sum(cpu for _, _, cpu in found) * 1e3 / len(paths),
        "faults_per_image": sum(faults for _, faults, _ in found) / len(paths),
        "stages_ms": {
            "transform": {f"p{p}": took_ms[int((len(took_ms) - 1) * p / 100)] for p in (50, 90, 99)}
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=0, help="images, cycling through the list")
    parser.add_argument("images", nargs="+")
    options = parser.parse_args(namespace=Options())
    source = cycle(str(Path(image).absolute()) for image in options.images)
    paths = [next(source) for _ in range(options.count or len(options.images))]
    print(json.dumps(measure(options.mode, options.workers, paths)))


if __name__ == "__main__":
    main()
