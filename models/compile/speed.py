"""How much faster one package is than another, here: both in turn, each in its own process.

A machine's speed drifts by more than what is to be measured, so nothing is compared but
neighbours: a few images of the one, as many of the other, and the median of the ratios.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

from lambdas.common.pipes import Answers, feed, hang_up
from lambdas.model.spec import Input

ROUNDS = 7
#: A round takes so long at least, and one image at least.
ROUND_S = 0.4


def compare(first: Path, second: Path, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """`speedup` (> 1: `second` is faster), its range, and milliseconds per image of both.

    One thread each, as a worker of a CPU plan has. `first` and `second` are unpacked packages.
    """
    with ExitStack() as stack:
        runs = [stack.enter_context(Process(folder)) for folder in (first, second)]
        images = [max(1, round(ROUND_S / max(run.ms(1) / 1000, 1e-5))) for run in runs]
        rounds = []
        for number in range(ROUNDS):
            rounds.append([run.ms(count) for run, count in zip(runs, images)])
            progress(number + 1, ROUNDS)
    ratios = [before / after for before, after in rounds]
    before, after = (statistics.median(column) for column in zip(*rounds))
    return {
        "speedup": round(statistics.median(ratios), 2),
        "range": [round(min(ratios), 2), round(max(ratios), 2)],
        "ms": {"original": round(before, 2), "compiled": round(after, 2)},
    }


class Process:
    """One package loaded in a process of its own, run as often as it is told to."""

    def __init__(self, folder: Path) -> None:
        self._command = [sys.executable, "-m", "models.compile.speed", str(folder)]

    def __enter__(self) -> Process:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, OMP_NUM_THREADS="1"),
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        hang_up(self._process)
        self._process.wait()

    def ms(self, images: int) -> float:
        """Milliseconds per image of the next `images` runs."""
        feed(self._process, f"{images}\n")
        line = next(iter(self._process.stdout or ()), "")
        if not line:
            raise RuntimeError(f"{' '.join(self._command[1:])} ended with {self._process.wait()}")
        return float(line)


def _serve(folder: str) -> None:
    import numpy as np

    from lambdas.model.package import load_package
    from lambdas.model.runtimes.select import load_runtime

    package = load_package(folder)
    shape = package.spec.input.shape
    answers = Answers()
    runtime = load_runtime(package, -1)
    low, high = (np.float32(value) for value in _range(package.spec.input))
    batch = np.random.RandomState(0).uniform(low, high, shape).astype(np.float32)
    for _ in range(3):
        runtime.infer(batch)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            runtime.infer(batch)
        ms = (time.perf_counter() - start) * 1000 / int(line) / shape[0]
        answers.line(str(ms).encode())


def _range(spec: Input) -> tuple[float, float]:
    """Values of the darkest and the lightest pixel."""
    values = [(pixel - m) * s for pixel in (0, 255) for m, s in zip(spec.mean, spec.scale)]
    return min(values), max(values)


if __name__ == "__main__":
    _serve(sys.argv[1])
