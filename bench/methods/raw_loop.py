"""The ceiling: N processes, each a bare loop over its share, no queue and no order.

Same network, runtime and transform as the article's method; nothing between the images.
Device interpreter. Prints one JSON object.
"""

import argparse
import json
import multiprocessing
import time
from itertools import cycle
from pathlib import Path

from bench.methods.article_pool import Network, transform


def loop(folder, paths, ready, go, out):
    import mxnet as mx

    network = Network(folder, mx.cpu())
    network.infer(mx.nd.zeros(network.shape))
    ready.release()
    go.wait()
    start = time.perf_counter()
    for path in paths:
        network.infer(transform(path, network.shape))
    out.put((start, time.perf_counter()))


def measure(folder, workers, paths):
    """images/s from the first process's start to the last one's end (CLOCK_MONOTONIC)."""
    ready, go, out = multiprocessing.Semaphore(0), multiprocessing.Event(), multiprocessing.Queue()
    shares = [paths[i::workers] for i in range(workers)]
    processes = [
        multiprocessing.Process(target=loop, args=(folder, share, ready, go, out))
        for share in shares
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    go.set()
    spans = [out.get() for _ in processes]
    for process in processes:
        process.join()
    total_s = max(end for _, end in spans) - min(start for start, _ in spans)
    return {
        "method": "raw_loop",
        "workers": workers,
        "images": len(paths),
        "total_s": total_s,
        "images_per_s": len(paths) / total_s,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="unpacked model package")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("images", nargs="+")
    options = parser.parse_args()
    source = cycle(options.images)
    paths = [next(source) for _ in range(options.count or len(options.images))]
    print(json.dumps(measure(options.model, options.workers, paths)))


if __name__ == "__main__":
    main()
