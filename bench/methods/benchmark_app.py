"""OpenVINO's own `benchmark_app` on a compiled package: the limit, with no image read or decoded.

Peers' interpreter (bench/requirements-peers.txt). As many streams as workers, of one thread each,
and as many requests, precision as a worker has it. Prints one JSON object.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.methods.peer import options, result

_THROUGHPUT = re.compile(r"Throughput:\s+([0-9.]+) FPS")
_COUNT = re.compile(r"Count:\s+([0-9]+) iterations")
_DURATION_MS = re.compile(r"Duration:\s+([0-9.]+) ms")
AS_A_WORKER = {"CPU": {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"}}


def told(said: str) -> tuple[int, float]:
    """→ (images, seconds) of what it printed. Raises ValueError where it is not there."""
    count, duration_ms = _COUNT.search(said), _DURATION_MS.search(said)
    if not (count and duration_ms and _THROUGHPUT.search(said)):
        raise ValueError(f"benchmark_app told no throughput:\n{said[-800:]}")
    return int(count.group(1)), float(duration_ms.group(1)) / 1e3


def command(network: Path, workers: int, count: int, config: Path) -> list[str]:
    app = Path(sys.executable).with_name("benchmark_app")
    each = str(workers)
    found = [str(app), "-m", str(network), "-d", "CPU", "-api", "async", "-hint", "none"]
    found += ["-nstreams", each, "-nthreads", each, "-nireq", each, "-niter", str(count)]
    return [*found, "-load_config", str(config)]


def main() -> None:
    chosen = options(__doc__)
    folder = chosen.model or Path()
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    if model["runtime"] != "openvino":
        raise SystemExit(
            f"{folder}: its runtime is {model['runtime']}, benchmark_app is OpenVINO's"
        )
    count = chosen.count or len(chosen.images)
    with tempfile.TemporaryDirectory(prefix="benchmark-app-") as work:
        config = Path(work, "config.json")
        config.write_text(json.dumps(AS_A_WORKER), encoding="utf-8")
        asked = command((folder / model["model"]).resolve(), chosen.workers, count, config)
        done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=work)
    if done.returncode:
        raise SystemExit(f"benchmark_app ended with {done.returncode}:\n{done.stdout[-800:]}")
    images, total_s = told(done.stdout)
    print(json.dumps(result("benchmark_app", chosen.workers, images, total_s)))


if __name__ == "__main__":
    main()
