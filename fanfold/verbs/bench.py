"""`fanfold bench`: the article's experiment on this machine, from publish to ordered result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from fanfold import output
from fanfold.errors import INVALID, UserError

SUFFIXES = {".jpg", ".jpeg", ".png"}


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)


def bench(
    images: Path = typer.Option(help="Folder of images."),
    model: Path | None = typer.Option(None, help="Unpacked model package, for scenario real."),
    scenario: str = typer.Option("noop", help="real, noop, latency, simulated, slow-worker."),
    workers: str = typer.Option("2", help="Numbers of workers, comma-separated."),
    methods: str = typer.Option("fanfold,article_pool,raw_loop", help="Also: ray, litserve."),
    count: int = typer.Option(16, min=1, help="Images; noop takes 100 times as many."),
    rounds: int = typer.Option(3, min=1, help="Interleaved rounds."),
    quick: bool = typer.Option(False, help="One round of a few images: does it run at all?"),
    out: Path = typer.Option(Path("build/bench"), help="JSON and REPORT.md."),
) -> None:
    """Measure this machine: interleaved rounds, ratios, JSON and a report.

    Example: fanfold bench --images photos/ --scenario noop
    """
    from bench.report import write_report
    from bench.suite import CONTROLS, SCENARIOS, Suite

    files = sorted(p for p in images.glob("*") if p.suffix.lower() in SUFFIXES)
    chosen, names = tuple(scenario.split(",")), tuple(methods.split(","))
    if not files:
        raise UserError(f"{images}: no image in this folder", INVALID)
    if unknown := [*(set(chosen) - set(SCENARIOS)), *(set(names) - {"fanfold", *CONTROLS})]:
        raise UserError(f"not known: {', '.join(unknown)}; see fanfold bench --help", INVALID)
    out.mkdir(parents=True, exist_ok=True)
    if quick:
        rounds, count = 1, min(count, 4)
    suite = Suite(out.absolute() / "work", files, model, count, rounds, names)
    for name in chosen:
        for number in map(int, workers.split(",")):
            rows: list[dict[str, Any]] = []
            for row in suite.run(name, number):
                rows.append(row)
                output.note(f"{name} N={number} {row['method']}: {row['images_per_s']:.1f}/s")
                target = out / f"{name}-{number}.json"
                target.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    output.out.print(str(write_report(out, out / "REPORT.md")))
