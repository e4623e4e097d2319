"""What `accepted` costs for manifests of files, by how often the disk is waited for.

    python -m bench.custody [--folder FOLDER] [--rounds 15] [--manifests 8] [--files 100] [--kib 50]
                            [--neighbour-mib 0]

Real custody and a real journal in FOLDER, which decides the disk. The ways take turns within
each round, first one and then another, so that what else the machine does hits them alike:

    names only    the journal alone, without its commit: what is there without custody
    no sync       and links, made, looked at and removed again: no promise
    per group     one `syncfs` and one commit for all manifests of a group, as the splitter does
    per manifest  the same for each manifest alone
    per file      `fsync` of each file, one commit for the group: kernels before 5.8

Wall-clock time is what `accepted` waits for. CPU is of all that custody does for an image, until
its link is removed; its lowest is what the work costs where nothing else disturbs it.

`syncfs` waits for whatever is unwritten on the disk: `--neighbour-mib` of somebody else's are
left so before each turn.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lambdas.splitter.backlog import Image
from lambdas.splitter.custody import Custody, Taken
from lambdas.splitter.entries import event_mark, items_of
from lambdas.splitter.intake import Event
from lambdas.splitter.journal import Journal

CAMERA = "cam1"
JOURNAL_BYTES = 1 << 30


class Load(NamedTuple):
    """`manifests` in one commit group, `files` in each, `kib` of each file."""

    manifests: int = 8
    files: int = 100
    kib: int = 50
    neighbour_mib: int = 0


class Plant:
    """One camera's files, written but not synced, and who accepts them."""

    def __init__(self, root: Path, load: Load) -> None:
        self._images = root / "images"
        (self._images / CAMERA).mkdir(parents=True)
        self._custody = Custody(str(self._images))
        self._accepted: list[Image] = []
        self._journal = Journal(str(root / "journal.sqlite3"), JOURNAL_BYTES)
        self._events = [
            Event(
                f"m{n}", [f"{CAMERA}/{n}-{file}.jpg" for file in range(load.files)], manifest=True
            )
            for n in range(load.manifests)
        ]
        content = random.Random(1).randbytes(load.kib << 10)
        for event in self._events:
            for name in event.files:
                (self._images / name).write_bytes(content)
        (root / "neighbour").write_bytes(bytes(load.neighbour_mib << 20))

    def accept(
        self, sync: bool = True, each: bool = False, whole: bool = True, link: bool = True
    ) -> None:
        if not whole:
            self._custody.inbox._sync_filesystem = None
        take = self._custody.take_plain if link else named
        for event in self._events:
            first = self._journal.next_seq(CAMERA)
            taken = take(CAMERA, first, event.files)
            items = items_of(CAMERA, event, taken, 0.0)
            more = [one.text if one else "" for one in taken]
            self._journal.stage(CAMERA, event.id, items, None, event_mark(event, taken), more)
            texts = self._journal.staged_texts(len(items)) if link else []
            self._accepted += [
                Image(item, None, text, (one.kept, one.stat[0]))
                for item, text, one in zip(items, texts, taken, strict=False)
                if one
            ]
            if each:
                self._commit(sync)
        self._commit(sync)

    def _commit(self, sync: bool) -> None:
        if sync:
            self._custody.sync()
            self._journal.commit()
        self._custody.keep()

    def let_go(self) -> None:
        """The images have their records."""
        for image in self._accepted:
            self._custody.release(image)
        self._custody.removals.tidy_now()

    def close(self) -> None:
        self._journal.close()


def named(_stream: str, _first: int, names: Sequence[str]) -> list[Taken | None]:
    """As if nobody took custody."""
    return [Taken(name, (0, 0, 0), "", name) for name in names]


class Price(NamedTuple):
    """Of a manifest, and of an image."""

    wall_ms: float
    cpu_us: float


WAYS: dict[str, Callable[[Plant], None]] = {
    "names only": lambda plant: plant.accept(sync=False, link=False),
    "no sync": lambda plant: plant.accept(sync=False),
    "per group": lambda plant: plant.accept(),
    "per manifest": lambda plant: plant.accept(each=True),
    "per file": lambda plant: plant.accept(whole=False),
}


def measure(folder: Path, rounds: int, load: Load) -> dict[str, list[Price]]:
    """Of each way, one entry a round."""
    found: dict[str, list[Price]] = {way: [] for way in WAYS}
    order = list(WAYS)
    for _ in range(rounds):
        for way in order:
            root = Path(tempfile.mkdtemp(prefix="custody-", dir=folder))
            try:
                plant = Plant(root, load)
                begin_s, cpu_s = time.perf_counter(), time.process_time()
                WAYS[way](plant)
                wall_ms = (time.perf_counter() - begin_s) * 1000 / load.manifests
                plant.let_go()
                cpu_us = (time.process_time() - cpu_s) * 1e6 / load.manifests / load.files
                found[way].append(Price(wall_ms, cpu_us))
                plant.close()
            finally:
                shutil.rmtree(root)
        order.append(order.pop(0))
    return found


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build"), help="on the disk to measure")
    parser.add_argument("--rounds", type=int, default=15)
    for name, default in Load()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    given = parser.parse_args(argv)
    given.folder.mkdir(parents=True, exist_ok=True)
    load = Load(*(getattr(given, name) for name in Load._fields))
    found = measure(given.folder, given.rounds, load)
    print(
        "| way | ms per manifest, median | lowest | highest | CPU us per image, median | lowest |"
    )
    print("|---|---|---|---|---|---|")
    for way, prices in found.items():
        wall, cpu = zip(*prices, strict=True)
        cells = [statistics.median(wall), min(wall), max(wall), statistics.median(cpu), min(cpu)]
        print(f"| {way} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
