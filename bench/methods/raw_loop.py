"""The ceiling: N processes, each a bare loop over its share, no queue and no order.

Same network, runtime and transform as the article's method; with --package the package's own
runtime and Fanfold's transform, as a worker has them; nothing between the images.
Device interpreter. Prints one JSON object.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from typing import TYPE_CHECKING, Any, Callable, List, Sequence, Tuple, Union

from bench.methods.article_network import Network, transform
from bench.methods.packaged import package_loop
from bench.methods.peer import Options, parser_of, paths_of, result

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event, Semaphore

    import numpy as np

#: What makes a process's loop body; its arguments, and the process's own paths.
Make = Callable[..., Callable[[str], object]]
Share = Tuple[Tuple[Any, ...], List[str]]
#: When a process started and ended, CLOCK_MONOTONIC seconds; or what went wrong.
Span = Tuple[float, float]
Ended = Union[Span, Exception]


class Gpus(Options):
    gpus: str


def network_loop(folder: str, gpu: int | None) -> Callable[[str], np.ndarray]:
    """→ function(path): one image through transform and network, loaded and warm; None: CPU."""
    import mxnet as mx

    network = Network(folder, mx.cpu() if gpu is None else mx.gpu(gpu))
    network.infer(mx.nd.zeros(network.shape))
    return lambda path: network.infer(transform(path, network.shape))


def _run(make: Make, share: Share, ready: Semaphore, go: Event, out: Queue[Ended]) -> None:
    arguments, paths = share
    try:
        process = make(*arguments)
        ready.release()
        go.wait()
        start = time.perf_counter()
        for path in paths:
            process(path)
        out.put((start, time.perf_counter()))
    except Exception as error:
        ready.release()
        out.put(error)


def side_by_side(make: Make, shares: Sequence[Share]) -> float:
    """Seconds from the first process's start to the last one's end (CLOCK_MONOTONIC).

    `shares`: for each process the arguments of `make` and its own paths.
    """
    ready, go = multiprocessing.Semaphore(0), multiprocessing.Event()
    out: Queue[Ended] = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(target=_run, args=(make, share, ready, go, out)) for share in shares
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    go.set()
    ends = [out.get() for _ in processes]
    for process in processes:
        process.join()
    spans: list[Span] = []
    for ended in ends:
        if isinstance(ended, Exception):
            raise ended
        spans.append(ended)
    return max(end for _, end in spans) - min(start for start, _ in spans)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--gpus", default="", help="comma-separated ids; empty: CPU")
    chosen = parser.parse_args(namespace=Gpus())
    paths, workers = paths_of(chosen), chosen.workers
    gpus: list[int | None] = [int(g) for g in chosen.gpus.split(",") if g] or [None]
    shares = [((str(chosen.model), gpus[i % len(gpus)]), paths[i::workers]) for i in range(workers)]
    make = package_loop if chosen.package else network_loop
    print(json.dumps(result("raw_loop", workers, len(paths), side_by_side(make, shares))))


if __name__ == "__main__":
    main()
