"""The article's method, rebuilt from its description: the control of every comparison.

A multiprocessing pool; each process takes a GPU id from a queue that cycles through the
GPUs (CPU when there is none), loads its own copy of the network into an MXNet Module, and
`Pool.map` hands it file paths. The transform is the article's: `cv2.imread`, BGR → RGB,
resize to the network's size, channels first, a new `mx.nd.array` per image.

Device interpreter. Prints one JSON object:
    python -m bench.methods.article_pool --model DIR --workers 2 IMAGES…
"""

from __future__ import annotations

import json
import multiprocessing
import time
from itertools import cycle
from typing import TYPE_CHECKING

from bench.methods.article_network import Network, transform
from bench.methods.peer import Options, Result, parser_of, paths_of, result

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

    import mxnet as mx
    import numpy as np

#: Of a process of the pool, since `init_worker`.
_model: Network | Waiting


class Pool(Options):
    gpus: str
    wait_ms: float | None


class Timings(Result):
    """With the milliseconds of each image."""

    transform_ms: list[float]
    inference_ms: list[float]


class Waiting:
    """A simulated accelerator of the process's own: the network's result after `wait_ms`."""

    shape = (1, 3, 512, 512)

    def __init__(self, wait_ms: float) -> None:
        self._wait_s = wait_ms / 1e3

    def infer(self, _tensor: mx.nd.NDArray) -> list[list[tuple[float, float]]]:
        time.sleep(self._wait_s)
        return [[(0.0, 0.0)]]


def init_worker(gpu_ids: Queue[int], folder: str, wait_ms: float | None, loaded: Barrier) -> None:
    global _model  # noqa: PLW0603 - one model per process is the article's design
    import cv2  # noqa: F401 - the article imports it at the top, outside the measured time
    import mxnet as mx

    context = mx.cpu() if gpu_ids.empty() else mx.gpu(gpu_ids.get())
    _model = Network(folder, context) if wait_ms is None else Waiting(wait_ms)
    _model.infer(mx.nd.zeros(_model.shape))  # warm-up is outside every method's measured time
    loaded.wait()


def process(path: str) -> tuple[float, float, float]:
    """→ (seconds in transform, seconds in inference, first detection's score)."""
    start = time.perf_counter()
    tensor = transform(path, _model.shape)
    tensor.wait_to_read()
    between = time.perf_counter()
    output: np.ndarray | list[list[tuple[float, float]]] = _model.infer(tensor)
    end = time.perf_counter()
    return between - start, end - between, float(output[0][0][1])


def measure(
    folder: Path | None,
    workers: int,
    gpus: list[int],
    paths: list[str],
    wait_ms: float | None = None,
) -> Timings:
    """One run; start-up and warm-up are outside the measured time, as for every method."""
    gpu_ids: Queue[int] = multiprocessing.Queue()
    for _, gpu in zip(range(workers), cycle(gpus)):
        gpu_ids.put(gpu)
    loaded = multiprocessing.Barrier(workers + 1)
    with multiprocessing.Pool(
        workers, init_worker, (gpu_ids, str(folder), wait_ms, loaded)
    ) as pool:
        loaded.wait()
        start = time.perf_counter()
        timings = pool.map(process, paths)
        total_s = time.perf_counter() - start
    return {
        **result("article_pool", workers, len(paths), total_s),
        "transform_ms": [round(t * 1e3, 3) for t, _, _ in timings],
        "inference_ms": [round(i * 1e3, 3) for _, i, _ in timings],
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--gpus", default="", help="comma-separated ids; empty: CPU")
    parser.add_argument("--wait-ms", type=float, help="simulated accelerators, one per process")
    chosen = parser.parse_args(namespace=Pool())
    if chosen.model is None and chosen.wait_ms is None:
        parser.error("--model FOLDER or --wait-ms is needed")
    gpus = [int(g) for g in chosen.gpus.split(",") if g]
    found = measure(chosen.model, chosen.workers, gpus, paths_of(chosen), chosen.wait_ms)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
