"""A replay against the bare pool, same package and same images, interleaved in one run.

    python -m bench.replay_rate --images photos/ --count 20000
    python -m bench.replay_rate --images photos/ --count 600 --model lite0-1.0.0.tar.gz --ray auto

Each round runs every way in turn over the same files, and over the first few of them: a start costs
seconds, on Ray tens of seconds, and is the same for an archive of any size. `images_per_s` is of
the images between: (count - few) / (seconds of the command for all - seconds for the few), so
listing, joining and the report count. `start_s`: the command for the few.
Without `--model`: a network that answers at once. `--ray`: a cluster whose nodes are this machine,
`ray start --head --num-cpus 2` say, with as many CPUs as `--workers`.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import describe
from bench.packages import noop_package
from fanfold.common.output import err
from replay.cut import is_image
from replay.package import local_package

FEW = 20
POOL = """
import json, sys
from lambdas.pool import run
paths = sys.stdin.read().splitlines()
ok = sum(record["status"] == "ok" for record in run(paths, sys.argv[1], sys.argv[2]))
print(json.dumps({"ok": ok}))
"""
Row = dict[str, Any]


class Archive(NamedTuple):
    folder: Path
    paths: list[str]


Way = Callable[[Archive], Row]


def archive(photos: Path, folder: Path, count: int) -> Archive:
    """`count` links to the photos, as one camera's images."""
    kinds = sorted(path for path in photos.rglob("*") if is_image(path.name))
    if not kinds:
        raise SystemExit(f"{photos}: no images there")
    (folder / "cam1").mkdir(parents=True)
    copies = [folder / f".{path.name}" for path in kinds]
    for photo, copy in zip(kinds, copies, strict=True):
        copy.write_bytes(photo.read_bytes())
    paths = [folder / f"cam1/{n:07}{copies[n % len(copies)].suffix}" for n in range(count)]
    for number, path in enumerate(paths):
        os.link(copies[number % len(copies)], path)
    for copy in copies:
        copy.unlink()
    return Archive(folder, [str(path) for path in paths])


def bare(package: str, workers: int) -> Way:
    def way(asked: Archive) -> Row:
        command = [sys.executable, "-c", POOL, package, str(workers)]
        return _timed(command, "\n".join(asked.paths))

    return way


def replayed(package: str, workers: int, *more: str) -> Way:
    def way(asked: Archive) -> Row:
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-m", "fanfold.main", "replay", "--model", package]
            command += ["--from", str(asked.folder), "--out", out, "--workers", str(workers)]
            return _timed([*command, "--json", *more])

    return way


def _timed(command: list[str], lines: str = "") -> Row:
    """Raises SystemExit with the command's own words where it fails."""
    start = time.monotonic()
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    whole_s = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return {"ok": json.loads(done.stdout)["ok"], "whole_s": round(whole_s, 2)}


def measure(
    ways: dict[str, Way], few: Archive, whole: Archive, rounds: int
) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {name: [] for name in ways}
    order = list(ways)
    for number in range(rounds):
        for name in order:
            load = round(os.getloadavg()[0], 1)
            start, ran = ways[name](few), ways[name](whole)
            rate = (len(whole.paths) - FEW) / (ran["whole_s"] - start["whole_s"])
            row = {"round": number, "way": name, **ran, "start_s": start["whole_s"],
                   "images_per_s": round(rate, 1), "load": load}  # fmt: skip
            rows[name].append(row)
            err.print(json.dumps(row), markup=False, soft_wrap=True)
        order.append(order.pop(0))
    return rows


def summary(rows: dict[str, list[Row]]) -> Row:
    """Medians; `ratio`: to the bare pool, of the same round."""
    found = {}
    for name, own in rows.items():
        both = zip(own, rows["pool"], strict=True)
        ratios = [row["images_per_s"] / pool["images_per_s"] for row, pool in both]
        middle = {
            each: round(statistics.median(row[each] for row in own), 2)
            for each in ("images_per_s", "whole_s", "start_s")
        }
        found[name] = {**middle, "ratio": round(statistics.median(ratios), 3)}
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
    if given.count < 10 * FEW:
        parser.error(f"--count {given.count}: take {10 * FEW} images or more")
    with tempfile.TemporaryDirectory() as work:
        few = archive(given.images, Path(work) / "few", FEW)
        whole = archive(given.images, Path(work) / "archive", given.count)
        package = local_package(given.model or str(noop_package(Path(work))))
        ways = {"pool": bare(package, given.workers), "local": replayed(package, given.workers)}
        if given.ray:
            more = ("--engine", "ray", "--ray", given.ray, "--shard-images", "250")
            ways["ray"] = replayed(package, given.workers, *more)
        found = summary(measure(ways, few, whole, given.rounds))
    machine = {**describe(), "load": os.getloadavg()}
    print(json.dumps({"machine": machine, "images": given.count, **found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
