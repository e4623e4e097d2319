"""What every peer shares: options, the same network and transform, the same report."""

import argparse
import json
import time
from itertools import cycle
from pathlib import Path


def options(doc):
    """Command line of a peer: model folder, workers, count, no-op switch, images."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="unpacked model package")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--noop", action="store_true", help="no image is read, no network run")
    parser.add_argument("images", nargs="+")
    return parser.parse_args()


def paths_of(chosen):
    source = cycle(str(Path(p).resolve()) for p in chosen.images)
    return [next(source) for _ in range(chosen.count or len(chosen.images))]


def load(folder, noop):
    """→ function(path or None) → score; None warms the network up."""
    if noop:
        return lambda _: 0.0
    import cv2  # noqa: F401 - imported here so that no measured image pays for it
    import mxnet as mx

    from bench.methods.article_pool import Network, transform

    network = Network(folder, mx.cpu())

    def process(path):
        tensor = mx.nd.zeros(network.shape) if path is None else transform(path, network.shape)
        return float(network.infer(tensor)[0][0][1])

    return process


def timed(work):
    """→ (what `work` returns, seconds)."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def report(method, chosen, total_s):
    images = chosen.count or len(chosen.images)
    print(
        json.dumps(
            {
                "method": method,
                "workers": chosen.workers,
                "images": images,
                "noop": chosen.noop,
                "total_s": total_s,
                "images_per_s": images / total_s,
            }
        )
    )


def in_order(send, paths, in_flight):
    """Calls `send(path)` from `in_flight` threads; results come back in the paths' order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(in_flight) as pool:
        return list(pool.map(send, paths))
