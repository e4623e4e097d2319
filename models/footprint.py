"""What one copy of a model needs, measured: memory and milliseconds per stage.

Measured in a process of its own, through the worker's own code, on one thread: alone, and the
network once more while a copy runs on every other core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator, TypedDict

if TYPE_CHECKING:
    import numpy as np

#: On top of what was measured: results, messages and the allocator's own slack.
HEADROOM = 1.15
WARM_UP = 3
ROUND_KB = 1024
READY = "ready"
Stage = Callable[[], object]


class Footprint(TypedDict):
    """`footprint` of model.json; `ms`: milliseconds per stage of the path."""

    memory_kb: int
    gpu_memory_mb: int
    input_kb: int
    ms: dict[str, float]


def measure(folder: Path, photo: Path, repeats: int = 15) -> Footprint:
    """`footprint` of the unpacked package below `folder`, with one photograph as input."""
    command = [sys.executable, "-m", "models.footprint", str(folder), str(photo), str(repeats)]
    # One thread, as a worker of a CPU plan has; allocator as the planner renders it.
    env = dict(os.environ, OMP_NUM_THREADS="1", MALLOC_TRIM_THRESHOLD_="1000000000")
    env["MALLOC_MMAP_THRESHOLD_"] = "30000000"
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the footprint cannot be measured:\n{done.stderr[-2000:]}")
    footprint: Footprint = json.loads(done.stdout.splitlines()[-1])
    return footprint


def _loaded(folder: str, photo: str) -> tuple[np.ndarray, Stage, Stage]:
    """→ (the input, its transform, the network on it), as a worker has them."""
    import cv2
    import numpy as np

    from lambdas.imaging.transform import Transform
    from lambdas.model.package import load_package
    from lambdas.model.runtimes.select import load_runtime

    cv2.setNumThreads(1)
    package = load_package(folder)
    runtime = load_runtime(package, -1)
    transform = Transform(package.spec.input)
    batch = np.zeros(package.spec.input.shape, np.float32)
    data = Path(photo).read_bytes()
    return batch, lambda: transform(data, batch[0]), lambda: runtime.infer(batch)


def _timed(stage: Stage) -> float:
    start = time.perf_counter()
    stage()
    return time.perf_counter() - start


def _measure_here(folder: str, photo: str, repeats: int) -> Footprint:
    batch, transform, infer = _loaded(folder, photo)
    stages: dict[str, list[float]] = {"transform": [], "inference": []}
    for _ in range(WARM_UP + repeats):
        stages["transform"].append(_timed(transform))
        stages["inference"].append(_timed(infer) / len(batch))
    # The fastest fifth: what else the machine does meanwhile is not the model's.
    ms = {k: round(statistics.quantiles(v[WARM_UP:], n=5)[0] * 1000, 2) for k, v in stages.items()}
    alone_s = statistics.median(stages["inference"][WARM_UP:])
    if (cores := len(os.sched_getaffinity(0))) > 1:
        slower = _beside_s(folder, photo, cores - 1, repeats, infer) / len(batch) / alone_s
        ms["inference_beside"] = round(ms["inference"] * max(slower, 1.0), 2)
    memory_kb = -(-int(_peak_kb() * HEADROOM) // ROUND_KB) * ROUND_KB
    input_kb = -(-batch.nbytes // 1024)
    return {"memory_kb": memory_kb, "gpu_memory_mb": 0, "input_kb": input_kb, "ms": ms}


def _beside_s(folder: str, photo: str, others: int, repeats: int, infer: Stage) -> float:
    """The median of one run of the network while `others` copies run theirs."""
    with ExitStack() as running:
        for _ in range(others):
            running.enter_context(_another(folder, photo))
        return statistics.median(_timed(infer) for _ in range(repeats))


@contextmanager
def _another(folder: str, photo: str) -> Iterator[None]:
    """A copy in a process of its own, which runs its network until this ends."""
    command = [sys.executable, "-m", "models.footprint", folder, photo, "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            if process.stdout.readline().strip() != READY.encode():
                raise RuntimeError(f"a second copy of {folder} ended while it loaded")
            yield
        finally:
            process.kill()


def _run_until_ended(folder: str, photo: str) -> None:
    _, _, infer = _loaded(folder, photo)
    infer()
    print(READY, flush=True)
    while os.getppid() != 1:  # whoever measures beside it is there
        infer()


def _peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("photo")
    parser.add_argument("repeats", type=int, help="0: run the network until ended")
    options = parser.parse_args()
    if options.repeats:
        print(json.dumps(_measure_here(options.folder, options.photo, options.repeats)))
    else:
        _run_until_ended(options.folder, options.photo)
