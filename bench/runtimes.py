"""Packages of one network for several runtimes: time per image and memory, in one run.

    .venv-device/bin/python -m bench.runtimes IMAGES ORIGINAL COMPILED...

Device interpreter. Packages are unpacked folders; the first is the control. Time: network
and detections, one thread, all packages in turn. Memory: proportional set size (PSS) of
two whole workers of the pool while they work on IMAGES.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.machine import pss_kb
from models.compile.speed import Process

ROUNDS = 5
IMAGES_PER_ROUND = 2
WORKERS = 2
SAMPLE_S = 0.2


def times(folders: list[Path]) -> dict[Path, tuple[float, ...]]:
    """Folder → milliseconds per image, one entry per round; all folders within each round."""
    with ExitStack() as stack:
        runs = [stack.enter_context(Process(folder)) for folder in folders]
        for run in runs:
            run.ms(1)
        rounds = [[run.ms(IMAGES_PER_ROUND) for run in runs] for _ in range(ROUNDS)]
    return dict(zip(folders, zip(*rounds)))


def memory_kb(folder: Path, images: list[Path]) -> int:
    """The largest PSS that the two workers had together."""
    command = [sys.executable, "-m", "lambdas.pool", str(folder), str(WORKERS), ""]
    with tempfile.TemporaryFile("w+") as listed:
        listed.writelines(f"{path}\n" for path in images * 4)
        listed.seek(0)
        seen = []
        with subprocess.Popen(
            command, stdin=listed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as pool:
            while pool.poll() is None:
                sizes = sorted(pss_kb([pid]) for pid in _below(pool.pid))
                seen.append(sum(sizes[-WORKERS:]))
                time.sleep(SAMPLE_S)
    return max(seen, default=0)


def _below(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(child) for child in task.read_text().split()]
        except OSError:  # it has ended
            continue
    return children + [found for child in children for found in _below(child)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder of images")
    parser.add_argument("packages", type=Path, nargs="+", help="unpacked packages, control first")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    images = sorted(p.absolute() for p in options.images.iterdir() if p.suffix in {".jpg", ".jpeg"})
    measured = times(options.packages)
    control = measured[options.packages[0]]
    print("| package | ms per image | ratio to the first | PSS of two workers, MB |")
    print("| --- | --- | --- | --- |")
    for folder, ms in measured.items():
        version = json.loads((folder / "model.json").read_text())["version"]
        ratios = sorted(own / first for own, first in zip(ms, control))
        print(
            f"| {version} | {statistics.median(ms):.1f} | {statistics.median(ratios):.3f} "
            f"[{ratios[0]:.3f}-{ratios[-1]:.3f}] | {memory_kb(folder, images) / 1024:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
