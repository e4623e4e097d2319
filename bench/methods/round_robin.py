"""The article's sketch of a splitter: equal shares in turn, whatever each worker's speed.

Every process transforms as the article does and then waits instead of computing; the first
one waits `--slow` times as long. Device interpreter. Prints one JSON object.
"""

import json
import time

from bench.methods.article_network import transform
from bench.methods.peer import parser_of, paths_of
from bench.methods.raw_loop import result, side_by_side

SHAPE = (1, 3, 512, 512)


def waiting_loop(wait_s):
    """→ function(path): the article's transform, then a wait of `wait_s`."""
    import cv2  # noqa: F401 - imported here so that no measured image pays for it
    import mxnet as mx

    mx.nd.zeros(SHAPE).wait_to_read()

    def process(path):
        transform(path, SHAPE).wait_to_read()
        time.sleep(wait_s)

    return process


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--wait-ms", type=float, required=True, help="of the other workers")
    parser.add_argument("--slow", type=float, default=1.0, help="how many times slower the first")
    chosen = parser.parse_args()
    paths, workers = paths_of(chosen), chosen.workers
    waits = [chosen.wait_ms / 1e3 * (chosen.slow if i == 0 else 1) for i in range(workers)]
    shares = [((waits[i],), paths[i::workers]) for i in range(workers)]
    print(json.dumps(result("round_robin", workers, paths, side_by_side(waiting_loop, shares))))


if __name__ == "__main__":
    main()
