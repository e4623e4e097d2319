"""What custody costs the path of the images: the no-op scenario with it and without.

    python -m bench.custody_path [--folder FOLDER] [--rounds 3] [--count 6000] [--files 100]
                                 [--kib 50]

Manifests of files that are there, never read before and not yet on the disk. The ways take turns:

    names only   the file's name is journaled, nobody looks at it: no promise
    + digest     and its SHA-256 is in the record
    + link       and a hard link is made, looked at and removed; the disk is not waited for
    custody      as shipped: and the group's files and links are synced before `accepted`

Rates are of the whole path; CPU is of all its processes. FOLDER decides the disk.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.group import Machine, Setting, simulated_profile
from bench.methods import fanfold_path
from bench.packages import noop_package
from bench.path_cost import pictures
from infra.packaging import LAMBDAS

NO_SYNC = """

def _sync(self: Custody) -> None:
    return None


Custody.sync = _sync
"""
NO_LINK = """

def _take_file(self: Custody, stream: str, seq: int, name: str) -> Taken:
    return Taken(name, (0, 0, 0), "", name)


def _release(self: Custody, item: dict[str, Any]) -> None:
    return None


def _take_plain(self: Custody, stream: str, first: int, names: Sequence[str]) -> list[Taken]:
    return []


Custody.take_file, Custody.release, Custody.take_plain = _take_file, _release, _take_plain
"""
UNCHECKED = """

def _read(self: Prepare, item: Record, folders: Folders | None = None) -> bytes:
    walk = folders.open if folders else None
    limit = self._transform.rules.max_bytes
    return read_inside(self._images_dir, item["file"], limit, None, walk)


Prepare._read = _read
"""
NO_DIGEST = """

class _NoDigest:
    def hexdigest(self) -> str:
        return ""


class _Unhashed:
    @staticmethod
    def sha256(data: bytes) -> _NoDigest:
        return _NoDigest()


hashlib = _Unhashed
"""
#: What is appended to which module of the functions' code.
CUSTODY, WORKER = "splitter/custody.py", "worker/prepare.py"
WAYS: dict[str, dict[str, str]] = {
    "names only": {CUSTODY: NO_LINK + NO_SYNC, WORKER: UNCHECKED + NO_DIGEST},
    "+ digest": {CUSTODY: NO_LINK + NO_SYNC, WORKER: UNCHECKED},
    "+ link": {CUSTODY: NO_SYNC},
    "custody": {},
}


def code_of(work: Path, way: str) -> Path:
    """The functions' sources, with what the way leaves out left out."""
    folder = work / "code" / "lambdas"
    shutil.copytree(LAMBDAS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, more in WAYS[way].items():
        path = folder / name
        path.write_text(path.read_text() + more)
    return folder


def run(folder: Path, way: str, given: argparse.Namespace) -> dict[str, Any]:
    work = Path(tempfile.mkdtemp(prefix="custody-", dir=folder.resolve()))
    try:
        setting = Setting(2, batch=32)
        machine = Machine(simulated_profile(setting), lambdas=code_of(work, way))
        warm_up = 2 * setting.workers
        return fanfold_path.measure(
            work / "run", setting, noop_package(work),
            pictures(work / "pictures", given.count + warm_up, ((given.kib) << 10) + 9),
            count=given.count, files_per_event=given.files, machine=machine,
        )  # fmt: skip
    finally:
        shutil.rmtree(work)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("bench.custody_path")
    parser.add_argument("--folder", type=Path, default=Path("build"), help="on the disk to measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=6_000)
    parser.add_argument("--files", type=int, default=100, help="of a manifest")
    parser.add_argument("--kib", type=int, default=50, help="of a file")
    given = parser.parse_args(argv)
    given.folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    order = list(WAYS)
    for _ in range(given.rounds):
        for way in order:
            found[way].append(run(given.folder, way, given))
            row = found[way][-1]
            cpu_us = sum(row["cpu_us_per_image"].values())
            print(f"{way:11} {row['images_per_s']:6.0f} images/s  {cpu_us:6.0f} us CPU", flush=True)
        order.append(order.pop(0))
    print("| way | images/s | CPU us per image, all | splitter | workers |\n|---|---|---|---|---|")
    for way, rows in found.items():
        cpu = [row["cpu_us_per_image"] for row in rows]
        cells = [
            f"{median(row['images_per_s'] for row in rows):.0f}",
            f"{median(sum(one.values()) for one in cpu):.0f}",
            f"{median(one['splitter'] for one in cpu):.0f}",
            f"{median(one['w0'] + one['w1'] for one in cpu):.0f}",
        ]
        print(f"| {way} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
