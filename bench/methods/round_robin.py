"""The article's sketch of a splitter: equal shares in turn, whatever each worker's speed.

Every process transforms as the article does and then waits instead of computing; the first
one waits `--slow` times as long. Device interpreter. Prints one JSON object.
"""

from __future__ import annotations

import json
import time
from typing import Callable

from bench.methods.article_network import transform
from bench.methods.peer import Options, parser_of, paths_of, result
from bench.methods.raw_loop import side_by_side

SHAPE = (1, 3, 512, 512)


class Waits(Options):
    wait_ms: float
    slow: float


def waiting_loop(wait_s: float) -> Callable[[str], None]:
    """→ function(path): the article's transform, then a wait of `wait_s`."""
    import cv2  # noqa: F401 - imported here so that no measured image pays for it
    import mxnet as mx

    mx.nd.zeros(SHAPE).wait_to_read()

    def process(path: str) -> None:
        transform(path, SHAPE).wait_to_read()
        time.sleep(wait_s)

    return process


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--wait-ms", type=float, required=True, help="of the other workers")
    parser.add_argument("--slow", type=float, default=1.0, help="how many times slower the first")
    chosen = parser.parse_args(namespace=Waits())
    paths, workers = paths_of(chosen), chosen.workers
    waits = [chosen.wait_ms / 1e3 * (chosen.slow if i == 0 else 1) for i in range(workers)]
    shares = [((waits[i],), paths[i::workers]) for i in range(workers)]
    total_s = side_by_side(waiting_loop, shares)
    print(json.dumps(result("round_robin", workers, len(paths), total_s)))


if __name__ == "__main__":
    main()
