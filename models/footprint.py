"""What one copy of a model needs, measured: memory and milliseconds per stage.

Measured in a process of its own, through the worker's own code, on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TypedDict

#: On top of what was measured: results, messages and the allocator's own slack.
HEADROOM = 1.15
WARM_UP = 3
ROUND_KB = 1024


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


def _measure_here(folder: str, photo: str, repeats: int) -> Footprint:
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
    stages: dict[str, list[float]] = {"transform": [], "inference": []}
    for _ in range(WARM_UP + repeats):
        start = time.perf_counter()
        transform(data, batch[0])
        between = time.perf_counter()
        runtime.infer(batch)
        stages["transform"].append(between - start)
        stages["inference"].append((time.perf_counter() - between) / len(batch))
    # The fastest fifth: what else the machine does meanwhile is not the model's.
    ms = {k: round(statistics.quantiles(v[WARM_UP:], n=5)[0] * 1000, 2) for k, v in stages.items()}
    memory_kb = -(-int(_peak_kb() * HEADROOM) // ROUND_KB) * ROUND_KB
    input_kb = -(-batch.nbytes // 1024)
    return {"memory_kb": memory_kb, "gpu_memory_mb": 0, "input_kb": input_kb, "ms": ms}


def _peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("photo")
    parser.add_argument("repeats", type=int)
    options = parser.parse_args()
    print(json.dumps(_measure_here(options.folder, options.photo, options.repeats)))
