"""What the history costs the path of the images: the no-op scenario with and without it.

    python -m bench.history_cost --images tests/kit/photos --rounds 3

A, B, A, B, …: on a machine that does other things too, CPU per image is the steadier figure.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.group import Setting
from bench.methods import fanfold_path
from bench.packages import noop_package

WITHOUT = ("--no-history",)


def run(work: Path, images: list[Path], count: int, arguments: tuple[str, ...]) -> dict[str, Any]:
    return fanfold_path.measure(
        work / "run", Setting(2, batch=32), noop_package(work), images, count=count,
        files_per_event=100, core_arguments=arguments,
    )  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser("bench.history_cost")
    arguments.add_argument("--images", type=Path, required=True)
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    images = sorted(given.images.glob("*.jpg"))
    rows: dict[str, list[dict[str, Any]]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            for name, more in (("without", WITHOUT), ("with", ())):
                row = run(Path(folder), images, given.count, more)
                rows[name].append(row)
                cpu = row["cpu_us_per_image"]
                print(f"{name:8} {row['images_per_s']:7.0f} images/s   CPU us per image: core "
                    f"{cpu['core']:.0f}, all {sum(cpu.values()):.0f}", flush=True)  # fmt: skip
    core = {n: median(r["cpu_us_per_image"]["core"] for r in found) for n, found in rows.items()}
    whole = {
        n: median(sum(r["cpu_us_per_image"].values()) for r in found) for n, found in rows.items()
    }
    rate = {n: median(r["images_per_s"] for r in found) for n, found in rows.items()}
    print(
        f"medians: {rate['without']:.0f} -> {rate['with']:.0f} images/s "
        f"({rate['with'] / rate['without'] - 1:+.1%}), CPU of the core {core['without']:.0f} -> "
        f"{core['with']:.0f} us, of everything {whole['without']:.0f} -> {whole['with']:.0f} us "
        f"({whole['with'] / whole['without'] - 1:+.1%})"
    )


if __name__ == "__main__":
    main()
