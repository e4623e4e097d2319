"""`python -m bench.replay_rate PACKAGE IMAGES`: a local replay against the bare pool, interleaved.

Each round runs both over the same files, in turn, and prints both rates (images/s, from the first
process started to the last record) and their ratio; the last line is the ratios' median.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3


def rate(command: list[str], images: int) -> float:
    """Images per second of one command, its start included."""
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return images / (time.monotonic() - start)


def bare(package: str, folder: str, workers: str) -> list[str]:
    code = (
        "import sys, pathlib; from lambdas.pool import run; "
        "paths = sorted(map(str, pathlib.Path(sys.argv[2]).rglob('*.jpg'))); "
        "print(sum(1 for _ in run(paths, sys.argv[1], sys.argv[3])))"
    )
    return [sys.executable, "-c", code, package, folder, workers]


def replayed(package: str, folder: str, workers: str, out: str) -> list[str]:
    command = [sys.executable, "-m", "fanfold", "replay", "--model", package, "--from", folder]
    return [*command, "--out", out, "--workers", workers]


def main(package: str, folder: str, workers: str = "2") -> int:
    images = sum(1 for _ in Path(folder).rglob("*.jpg"))
    ratios = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as out:
            pool = rate(bare(package, folder, workers), images)
            replay = rate(replayed(package, folder, workers, out), images)
        ratios.append(replay / pool)
        print(json.dumps({"round": number, "pool": round(pool, 1), "replay": round(replay, 1),
                          "ratio": round(replay / pool, 3)}), flush=True)  # fmt: skip
    print(json.dumps({"images": images, "median_ratio": round(statistics.median(ratios), 3)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
