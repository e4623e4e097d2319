"""Whether an image costs the same at any size: streams, workers, backlog, past images.

    python -m bench.scale [--full] [--rounds 3] [--count 2000] [--only streams,workers,...]
                          [--folder FOLDER] [--json]

Each size runs the splitter's and the aggregator's own code on real files, without a core
(`bench/methods/parts_loop.py`), in a process of its own; sizes take turns within a round. A cell
says CPU per image as a ratio to the smallest size of the same round, peak memory of both parts
together, and how long both need to start again from their files. Flat: within 10 %. Streams and
workers grow twice: at 1,600 images/s with a backlog, where a step takes 16 images, and at 16
images/s, one at a time.
--full goes to 1,000 streams, 64 workers, a backlog of 10^6 and 10^6 past images (half an hour).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.choosing import add_folder, command_line, names_of
from bench.stats import paired_ratio
from fanfold.common.errors import FAILED, UserError
from fanfold.common.project import PROJECT
from fanfold.device.interpreters import device_python

Row = Mapping[str, Any]
#: What grows, over which sizes; the first is what the others are compared with.
SHORT = {
    "streams": (1, 10, 100),
    "streams at 16 images/s": (1, 10, 100),
    "workers": (2, 8, 32),
    "workers at 16 images/s": (2, 8, 32),
    "backlog": (100, 1_000, 10_000),
    "past": (0, 1_000, 10_000),
}
FULL = {
    "streams": (1, 10, 100, 1_000),
    "streams at 16 images/s": (1, 10, 100, 1_000),
    "workers": (2, 8, 32, 64),
    "workers at 16 images/s": (2, 8, 32, 64),
    "backlog": (1_000, 10_000, 100_000, 900_000),
    "past": (0, 10_000, 100_000, 1_000_000),
}
#: Images come one at a time and are answered at once; else 1,600 a second, and a backlog.
ALONE = " at 16 images/s"
BASE = {"streams": 1, "workers": 2, "backlog": 1_000, "past": 0}
FLAT = 1.10


def cost_us(row: Row) -> float:
    """CPU microseconds per image of both parts."""
    return float(sum(row["cpu_us"].values()))


def measure(size: Mapping[str, int], count: int, folder: Path) -> dict[str, Any]:
    """One size, in a process of its own. Raises UserError."""
    python = device_python()
    if python is None:
        raise UserError("no interpreter for the Lambdas. Run `make setup`.", FAILED)
    command = [str(python), "-m", "bench.methods.parts_loop", "--count", str(count)]
    command += ["--folder", str(folder)]
    for name, value in {**BASE, **size}.items():
        if name.endswith(ALONE):
            command += ["--alone", "--backlog", "0"]
        command += [f"--{name.removesuffix(ALONE)}", str(value)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{command[2:]} ended:\n{done.stderr[-800:]}", FAILED)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows(
    sizes: Mapping[str, tuple[int, ...]], rounds: int, count: int, folder: Path
) -> Iterator[dict[str, Any]]:
    """Every size once a round, told apart by `grows` and `size`."""
    for round_ in range(rounds):
        for grows, values in sizes.items():
            for size in values:
                found = measure({grows: size}, count, folder)
                yield {**found, "grows": grows, "size": size, "round": round_}


def table(found: Sequence[Row]) -> Iterator[str]:
    """Markdown: one line for each size."""
    yield "| grows | size | CPU us per image | ÷ smallest | flat | peak MB | restart s |"
    yield "|---|---|---|---|---|---|---|"
    for grows in dict.fromkeys(row["grows"] for row in found):
        own = [row for row in found if row["grows"] == grows]
        sizes = list(dict.fromkeys(row["size"] for row in own))
        smallest = [cost_us(row) for row in own if row["size"] == sizes[0]]
        for size in sizes:
            at = [row for row in own if row["size"] == size]
            costs = [cost_us(row) for row in at]
            ratio = paired_ratio(costs, smallest[: len(costs)])
            flat = "yes" if ratio.median <= FLAT else "**no**"
            yield (
                f"| {grows} | {size:,} | {median(costs):.0f} | {ratio} | {flat} | "
                f"{max(row['peak_mb'] for row in at):.0f} | "
                f"{median(row['restart_s'] for row in at):.2f} |"
            )


def main(argv: list[str]) -> int:
    parser = command_line("bench.scale", __doc__)
    add_folder(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=2_000, help="images measured of each size")
    parser.add_argument("--only", type=names_of(SHORT), default=list(SHORT))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--json", action="store_true", help="rows as JSON, at the end")
    given = parser.parse_args(argv)
    given.folder.mkdir(parents=True, exist_ok=True)
    sizes = FULL if given.full else SHORT
    chosen = {name: sizes[name] for name in given.only}
    found = []
    try:
        for row in rows(chosen, given.rounds, given.count, given.folder.absolute()):
            found.append(row)
            what = f"{row['grows']} {row['size']:,}"
            print(f"{what:20} {cost_us(row):6.0f} us  {row['cpu_us']}", file=sys.stderr, flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found) if given.json else "\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
