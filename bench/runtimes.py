"""Packages of one network for several runtimes: time per image and memory, in one run.

    .venv-device/bin/python -m bench.runtimes IMAGES ORIGINAL COMPILED...

Device interpreter. Packages are unpacked folders; the first is the control. Time: network
and detections, one thread, all packages in turn. Memory: proportional set size (PSS) of
two whole workers of the pool while they work on IMAGES.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from models.compile.speed import Process

ROUNDS = 5
IMAGES_PER_ROUND = 2
WORKERS = 2
SAMPLE_S = 0.2


def times(folders):
    """Folder → milliseconds per image, one entry per round; all folders within each round."""
    with ExitStack() as stack:
        runs = [stack.enter_context(Process(folder)) for folder in folders]
        for run in runs:
            run.ms(1)
        rounds = [[run.ms(IMAGES_PER_ROUND) for run in runs] for _ in range(ROUNDS)]
    return dict(zip(folders, zip(*rounds)))


def memory_kb(folder, images):
    """The largest PSS that the two workers had together."""
    listed = "".join(f"{path}\n" for path in images * 4)
    command = [sys.executable, "-m", "lambdas.pool", str(folder), str(WORKERS), ""]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as pool:
        pool.stdin.write(listed.encode())
        pool.stdin.close()
        seen = []
        while pool.poll() is None:
            sizes = sorted(_pss_kb(pid) for pid in _below(pool.pid))
            seen.append(sum(sizes[-WORKERS:]))
            time.sleep(SAMPLE_S)
    return max(seen, default=0)


def _below(pid):
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(child) for child in task.read_text().split()]
        except OSError:  # it has ended
            continue
    return children + [found for child in children for found in _below(child)]


def _pss_kb(pid):
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main():
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
