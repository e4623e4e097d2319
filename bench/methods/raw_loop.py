"""The ceiling: N processes, each a bare loop over its share, no queue and no order.

Same network, runtime and transform as the article's method; nothing between the images.
Device interpreter. Prints one JSON object.
"""

import json
import multiprocessing
import time

from bench.methods.article_network import Network, transform
from bench.methods.peer import parser_of, paths_of


def network_loop(folder, gpu):
    """→ function(path): one image through transform and network, loaded and warm; None: CPU."""
    import mxnet as mx

    network = Network(folder, mx.cpu() if gpu is None else mx.gpu(gpu))
    network.infer(mx.nd.zeros(network.shape))
    return lambda path: network.infer(transform(path, network.shape))


def _run(make, share, ready, go, out):
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


def side_by_side(make, shares):
    """Seconds from the first process's start to the last one's end (CLOCK_MONOTONIC).

    `shares`: for each process the arguments of `make` and its own paths.
    """
    ready, go, out = multiprocessing.Semaphore(0), multiprocessing.Event(), multiprocessing.Queue()
    processes = [
        multiprocessing.Process(target=_run, args=(make, share, ready, go, out)) for share in shares
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    go.set()
    spans = [out.get() for _ in processes]
    for process in processes:
        process.join()
    for span in spans:
        if isinstance(span, Exception):
            raise span
    return max(end for _, end in spans) - min(start for start, _ in spans)


def result(method, workers, paths, total_s):
    """What every control prints."""
    return {
        "method": method,
        "workers": workers,
        "images": len(paths),
        "total_s": total_s,
        "images_per_s": len(paths) / total_s,
    }


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--gpus", default="", help="comma-separated ids; empty: CPU")
    chosen = parser.parse_args()
    paths, workers = paths_of(chosen), chosen.workers
    gpus = [int(g) for g in chosen.gpus.split(",") if g] or [None]
    shares = [((str(chosen.model), gpus[i % len(gpus)]), paths[i::workers]) for i in range(workers)]
    print(json.dumps(result("raw_loop", workers, paths, side_by_side(network_loop, shares))))


if __name__ == "__main__":
    main()
