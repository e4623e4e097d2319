"""CPU of everything around the network, per image and process, for the three ways images come.

    python -m bench.path_cost [--folder FOLDER] [--rounds 3] [--count 6000] [--ways manifests,...]
                              [--against CHECKOUT] [--json]

    manifests   events of 100 files of 20 KiB, batches of 32, all sent at once
    single      an event for each file, 64 awaited at most
    inline      the image itself, 100 KB, is the message, 64 awaited at most
    alone       an event for each file, the next when the last result has come; only where asked for

The model does nothing, two workers. With custody, digests, order and durable commits, as shipped.
`--against` names another checkout of this project: then both run in turns, in one run, and what
is printed last is the ratio of each round. CPU per image says something on a busy machine too;
milliseconds from publish to result do so where `chrt -r 1` gives this command precedence.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.choosing import add_folder, command_line, names_of
from bench.group import Setting
from bench.methods import fanfold_path
from bench.packages import noop_package
from bench.stats import paired_ratio
from bench.turns import AGAINST, NOW, elsewhere, in_turns
from contract.image_kinds import JPEG
from fanfold.common.errors import INVALID, UserError

WORKERS = 2
#: The parts whose CPU the target is about.
PARTS = ("core", "splitter", "aggregator")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """How images come. `share`: of --count; `bytes`: of an image."""

    bytes: int
    share: float
    more: Mapping[str, Any]
    target_ms: float


WAYS = {
    "manifests": Way(20 << 10, 1.0, {"files_per_event": 100}, 0.12),
    "single": Way(20 << 10, 0.25, {"in_flight": 64}, 0.5),
    "inline": Way(100_000, 0.25, {"in_flight": 64, "inline": True}, 0.8),
}

#: Those that no target of the CPU is for, too.
ALL_WAYS = {**WAYS, "alone": Way(20 << 10, 0.1, {"in_flight": 1}, 0.0)}


def pictures(folder: Path, count: int, size: int) -> list[Path]:
    """Files that begin and end as a JPEG does, all different; the no-op model looks at none."""
    folder.mkdir(parents=True)
    content = random.Random(1).randbytes(size - 9)
    paths = [folder / f"{number:06d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(JPEG.magic + number.to_bytes(4, "big") + content + b"\xff\xd9")
    return paths


def jpegs(folder: Path) -> list[Path]:
    """Those below a folder. Raises UserError: there is none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in JPEG.suffixes)
    if not found:
        raise UserError(f"{folder}: no JPEG in it; give a folder of photographs", INVALID)
    return found


def measure(folder: Path, name: str, count: int) -> dict[str, Any]:
    """One run of a way in `folder`, as `fanfold_path.measure` tells it."""
    way = ALL_WAYS[name]
    work = Path(tempfile.mkdtemp(prefix="path-", dir=folder))
    try:
        count = max(int(count * way.share) // 100 * 100, 100)
        images = pictures(work / "pictures", count + 2 * WORKERS, way.bytes)
        batch = 32 if name == "manifests" else 8
        setting = Setting(WORKERS, batch=batch)
        package = noop_package(work)
        row = fanfold_path.measure(work / "run", setting, package, images, count=count, **way.more)
        return {**row, "way": name}
    finally:
        shutil.rmtree(work)


def path_ms(row: Row) -> float:
    """CPU milliseconds per image of core, splitter and aggregator together."""
    return float(sum(row["cpu_us_per_image"][part] for part in PARTS)) / 1e3


def _rows(given: argparse.Namespace, ways: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(which code, row), in turns."""
    for round_ in range(given.rounds):
        for name in ways:
            arguments = ["--count", str(given.count), "--ways", name]
            arguments += ["--folder", str(given.folder)]
            here = partial(measure, given.folder, name, given.count)
            there = partial(elsewhere, given.against, "bench.path_cost", arguments)
            yield from in_turns(round_, here, there if given.against else None)


def line(side: str, row: Row) -> str:
    times_ms = row["stages_ms"]["end_to_end"]
    parts = "  ".join(f"{part} {us:.0f}" for part, us in row["cpu_us_per_image"].items())
    return (
        f"{row['way']:10}{side:8} {row['images_per_s']:6.0f} images/s  "
        f"core+splitter+aggregator {path_ms(row):.3f} ms; CPU us: {parts}; "
        f"p50 {times_ms['p50']:.1f} p99 {times_ms['p99']:.1f} ms"
    )


def summary(rows: Sequence[tuple[str, Row]]) -> Iterator[str]:
    """Medians beside what is asked, and the ratio to the other checkout where there is one."""
    for name, way in ALL_WAYS.items():
        own = [path_ms(row) for side, row in rows if side == NOW and row["way"] == name]
        other = [path_ms(row) for side, row in rows if side == AGAINST and row["way"] == name]
        if not own:
            continue
        text = f"{name:10} {median(own):.3f} ms per image"
        if way.target_ms:
            text += f", asked {way.target_ms:g}"
        if other:
            text += f"; before {median(other):.3f}, ratio {paired_ratio(own, other)}"
        yield text


def main(argv: list[str]) -> int:
    parser = command_line("bench.path_cost", __doc__)
    add_folder(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=6_000, help="images of a manifest round")
    parser.add_argument("--ways", type=names_of(ALL_WAYS), default=list(WAYS))
    parser.add_argument("--against", type=Path, help="another checkout, run in turns with this")
    parser.add_argument("--json", action="store_true", help="rows as JSON, at the end")
    given = parser.parse_args(argv)
    given.folder = given.folder.absolute()
    given.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for side, row in _rows(given, given.ways):
        rows.append((side, row))
        if not given.json:
            print(line(side, row), flush=True)
    if given.json:
        print(json.dumps([row for _, row in rows]))
        return 0
    print("\n".join(summary(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
