"""A replay against the bare pool, same package and same images, interleaved in one run.

    python -m bench.replay_rate --images photos/ --count 20000
    python -m bench.replay_rate --images photos/ --count 600 --model lite0-1.0.0.tar.gz --ray auto

Each round runs every way in turn over the same files. `images/s` is from the first process of the
pool to the last record, the model's loading included; what a replay does before and after that
(listing, joining, the report) is in `whole_s`, the command from its start to its end.
Without `--model`: a network that answers at once. `--ray`: a cluster whose nodes are this machine,
`ray start --head --num-cpus 2` say, with as many CPUs as `--workers`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.packages import noop_package
from fanfold.common.output import err
from replay.cut import is_image
from replay.package import local_package

POOL = """
import json, sys, time
from lambdas.pool import run
paths = sys.stdin.read().splitlines()
start = time.monotonic()
ok = sum(record["status"] == "ok" for record in run(paths, sys.argv[1], sys.argv[2]))
print(json.dumps({"ok": ok, "images_per_s": len(paths) / (time.monotonic() - start)}))
"""
Row = dict[str, Any]
Way = Callable[[], Row]


def archive(photos: Path, folder: Path, count: int) -> list[str]:
    """`count` links to the photos, as one camera's images; their paths."""
    kinds = sorted(path for path in photos.rglob("*") if is_image(path.name))
    if not kinds:
        raise SystemExit(f"{photos}: no images there")
    (folder / "cam1").mkdir()
    paths = [folder / f"cam1/{n:07}{kinds[n % len(kinds)].suffix}" for n in range(count)]
    for number, path in enumerate(paths):
        os.link(_beside(kinds[number % len(kinds)], folder), path)
    return [str(path) for path in paths]


def _beside(photo: Path, folder: Path) -> Path:
    """A copy on the archive's file system, which a link needs."""
    copy = folder / f".{photo.name}"
    if not copy.exists():
        copy.write_bytes(photo.read_bytes())
    return copy


def bare(package: str, paths: list[str], workers: int) -> Row:
    command = [sys.executable, "-c", POOL, package, str(workers)]
    return _timed(command, len(paths), "\n".join(paths))


def replayed(package: str, folder: Path, workers: int, count: int, more: list[str]) -> Row:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "fanfold.main", "replay", "--model", package, "--json"]
        command += ["--from", str(folder), "--out", out, "--workers", str(workers), *more]
        return _timed(command, count)


def _timed(command: list[str], count: int, lines: str = "") -> Row:
    """Raises SystemExit with the command's own words where it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    whole_s, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    said = json.loads(done.stdout)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "ok": said["ok"],
        "images_per_s": round(float(said.get("run", said)["images_per_s"]), 1),
        "whole_s": round(whole_s, 2),
        "cpu_us_per_image": round(1e6 * used_s / count),
    }


def measure(ways: dict[str, Way], rounds: int) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {name: [] for name in ways}
    order = list(ways)
    for number in range(rounds):
        for name in order:
            load = os.getloadavg()[0]
            row = {"round": number, "way": name, **ways[name](), "load": round(load, 1)}
            rows[name].append(row)
            err.print(json.dumps(row), markup=False, soft_wrap=True)
        order.append(order.pop(0))
    return rows


def summary(rows: dict[str, list[Row]]) -> Row:
    """Medians; `ratio`: to the bare pool, of the same round."""
    found = {}
    for name, own in rows.items():
        ratios = [a["images_per_s"] / b["images_per_s"] for a, b in zip(own, rows["pool"], strict=True)]
        middle = {
            each: round(statistics.median(row[each] for row in own), 2)
            for each in ("images_per_s", "whole_s", "cpu_us_per_image")
        }
        found[name] = {**middle, "best": max(row["images_per_s"] for row in own),
                       "ratio": round(statistics.median(ratios), 3)}  # fmt: skip
    return found


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "bench.replay_rate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--count", type=int, default=20_000, help="images of a run, by links")
    parser.add_argument("--model", help="a model package; default: one that answers at once")
    parser.add_argument("--workers", type=int, default=2, help="processes of the pool")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", metavar="ADDRESS", help="also on this cluster: auto, host:port")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "archive"
        folder.mkdir()
        paths = archive(given.images, folder, given.count)
        package = local_package(given.model or str(noop_package(Path(work))))
        ways: dict[str, Way] = {
            "pool": lambda: bare(package, paths, given.workers),
            "local": lambda: replayed(package, folder, given.workers, given.count, []),
        }
        if given.ray:
            more = ["--engine", "ray", "--ray", given.ray, "--shard-images", "250"]
            ways["ray"] = lambda: replayed(package, folder, given.workers, given.count, more)
        found = summary(measure(ways, given.rounds))
    machine = {**describe(), "load": os.getloadavg()}
    print(json.dumps({"machine": machine, "images": given.count, **found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
