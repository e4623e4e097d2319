"""A replay against the bare pool, same package and same images, interleaved in one run.

    python -m bench.replay_rate --images photos/ --count 20000
    python -m bench.replay_rate --images photos/ --count 600 --model lite0-1.0.0.tar.gz --ray own

Each round runs every way in turn over the same files, and over the first few of them: a start costs
seconds, on Ray tens of seconds, and is the same for an archive of any size. `images_per_s` is of
the images between: (count - few) / (seconds of the command for all - seconds for the few), so
listing, joining and the report count. `start_s`: the command for the few, on Ray in as many shards
as there are processes, so that each has loaded the model. `cpu_us`: CPU of an image, by all
processes; on a busy machine its ratio says more than that of rates.
Without `--model`: a network that answers at once. `--ray own`: a cluster of this machine, with as
many CPUs as `--workers`, for as long as the bench runs.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from bench.family import adopt, cpu_s, end_all
from bench.machine import describe
from bench.methods.peer import free_port
from bench.packages import noop_package
from fanfold.common.output import err
from replay.cut import is_image
from replay.package import local_package

FEW = 20
#: Images of a shard on Ray: so that a few thousand are shards enough for all processes.
RAY_SHARD = 250
POOL = """
import json, sys
from lambdas.pool import run
paths = sys.stdin.read().splitlines()
ok = sum(record["status"] == "ok" for record in run(paths, sys.argv[1], sys.argv[2]))
print(json.dumps({"ok": ok}))
"""
SHOWN = ("images_per_s", "cpu_us", "whole_s", "start_s")
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


def replayed(package: str, workers: int) -> Way:
    def way(asked: Archive) -> Row:
        return _replay(package, workers, asked, ())

    return way


def on_ray(package: str, workers: int, address: str) -> Way:
    def way(asked: Archive) -> Row:
        shard = min(RAY_SHARD, len(asked.paths) // workers)
        more = ("--engine", "ray", "--ray", address, "--shard-images", str(shard))
        return _replay(package, workers, asked, more)

    return way


def _replay(package: str, workers: int, asked: Archive, more: Sequence[str]) -> Row:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "fanfold.main", "replay", "--model", package]
        command += ["--from", str(asked.folder), "--out", out, "--workers", str(workers)]
        return _timed([*command, "--json", *more])


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """A Ray cluster of one node, here; its address."""
    ray = Path(sys.executable).with_name("ray")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(ray), "start", "--head", f"--port={port}", f"--num-cpus={workers}"]
        command += ["--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}"]
        # Ray lowers the priority of its workers, which would be measured on a busy machine.
        environment = {**os.environ, "RAY_worker_niceness": "0"}
        try:
            subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
            yield f"127.0.0.1:{port}"
        finally:
            end_all()


def _timed(command: list[str], lines: str = "") -> Row:
    """Raises SystemExit with the command's own words where it fails."""
    start, before_s = time.monotonic(), cpu_s()
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    whole_s = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    ok = json.loads(done.stdout)["ok"]
    return {"ok": ok, "whole_s": whole_s, "cpu_s": cpu_s() - before_s}


def measure(
    ways: dict[str, Way], few: Archive, whole: Archive, rounds: int
) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {name: [] for name in ways}
    order = list(ways)
    for number in range(rounds):
        for name in order:
            load = round(os.getloadavg()[0], 1)
            start, ran = ways[name](few), ways[name](whole)
            row = {"round": number, "way": name, **_between(start, ran, whole), "load": load}
            rows[name].append(row)
            err.print(json.dumps(row), markup=False, soft_wrap=True)
        order.append(order.pop(0))
    return rows


def _between(few: Row, ran: Row, whole: Archive) -> Row:
    """Of the images beyond the few."""
    images = len(whole.paths) - FEW
    return {
        "ok": ran["ok"],
        "whole_s": round(ran["whole_s"], 2),
        "start_s": round(few["whole_s"], 2),
        "images_per_s": round(images / (ran["whole_s"] - few["whole_s"]), 1),
        "cpu_us": round((ran["cpu_s"] - few["cpu_s"]) / images * 1e6),
    }


def summary(rows: dict[str, list[Row]]) -> Row:
    """Medians. To the bare pool's, of the same round: `ratio` in time, `cpu_ratio` in CPU."""
    found = {}
    for name, own in rows.items():
        both = list(zip(own, rows["pool"], strict=True))
        found[name] = {
            **{each: round(statistics.median(row[each] for row in own), 2) for each in SHOWN},
            "ratio": _middle(row["images_per_s"] / pool["images_per_s"] for row, pool in both),
            "cpu_ratio": _middle(pool["cpu_us"] / row["cpu_us"] for row, pool in both),
        }
    return found


def _middle(ratios: Iterable[float]) -> float:
    return round(statistics.median(ratios), 3)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "bench.replay_rate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--count", type=int, default=20_000, help="images of a run, by links")
    parser.add_argument("--model", help="a model package; default: one that answers at once")
    parser.add_argument("--workers", type=int, default=2, help="processes of the pool")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", metavar="ADDRESS", help="also on Ray: own, auto, host:port")
    given = parser.parse_args(argv)
    if given.count < 10 * FEW:
        parser.error(f"--count {given.count}: take {10 * FEW} images or more")
    adopt()
    ray = cluster(given.workers) if given.ray == "own" else nullcontext(given.ray)
    with tempfile.TemporaryDirectory() as work, ray as address:
        few = archive(given.images, Path(work) / "few", FEW)
        whole = archive(given.images, Path(work) / "archive", given.count)
        package = local_package(given.model or str(noop_package(Path(work))))
        ways = {"pool": bare(package, given.workers), "local": replayed(package, given.workers)}
        if address:
            ways["ray"] = on_ray(package, given.workers, address)
        found = summary(measure(ways, few, whole, given.rounds))
    machine = {**describe(), "load": os.getloadavg()}
    print(json.dumps({"machine": machine, "images": given.count, **found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
