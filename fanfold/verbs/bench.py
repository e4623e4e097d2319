"""`fanfold bench`: the article's experiment on this machine, from publish to ordered result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.common.inputs import images_of

DEFAULT_METHODS = "fanfold,article_pool,raw_loop,round_robin"


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)


def bench(
    images: Path = typer.Option(help="Folder of images."),
    model: Path | None = typer.Option(None, help="Unpacked model package, for scenario real."),
    compiled: Path | None = typer.Option(
        None, help="A second unpacked package for scenario real, such as the int8 version."
    ),
    scenario: str = typer.Option(
        "noop",
        help="real, noop, latency, simulated, transform, slow-worker, strategies; comma-separated.",
    ),
    workers: str = typer.Option("2", help="Numbers of workers: 1,2,4 or 1..4."),
    methods: str = typer.Option(
        DEFAULT_METHODS, help="Peers: ray, litserve, mms, pytriton, benchmark_app."
    ),
    gpus: int | None = typer.Option(
        None, min=0, help="GPUs for scenario real, dealt round-robin; default those found."
    ),
    count: int = typer.Option(16, min=1, help="Images; noop × 100, simulated ones × 10."),
    rounds: int = typer.Option(3, min=1, help="Interleaved rounds."),
    quick: bool = typer.Option(False, help="One round of a few images: does it run at all?"),
    out: Path = typer.Option(Path("build/bench"), help="JSON, plots and REPORT.md."),
    as_json: bool = typer.Option(False, "--json", help="All rows as one JSON object."),
) -> None:
    """Measure this machine: interleaved rounds, ratios, JSON, plots and a report.

    Example: fanfold bench --images photos/ --scenario noop,latency
    Example: fanfold bench --images photos/ --scenario real --model UNPACKED --workers 1..4
    """
    from bench.controls import CONTROLS
    from bench.report import write_report
    from bench.suite import SCENARIOS, Suite
    from fanfold.detect.gpus import find_gpus

    files = images_of([images])
    chosen, names = tuple(scenario.split(",")), tuple(methods.split(","))
    if unknown := [*(set(chosen) - set(SCENARIOS)), *(set(names) - {"fanfold", *CONTROLS})]:
        raise UserError(f"not known: {', '.join(unknown)}; see fanfold bench --help", INVALID)
    numbers = numbers_of(workers)
    out.mkdir(parents=True, exist_ok=True)
    if quick:
        rounds, count = 1, min(count, 4)
    work = out.absolute() / "work"
    cards = len(find_gpus(Path("/"), 0)[0]) if gpus is None else gpus
    suite = Suite(work, files, model, compiled, count, rounds, names, cards)
    measured: list[dict[str, Any]] = []
    for name in chosen:
        rows: list[dict[str, Any]] = []
        for row in suite.run(name, numbers):
            rows.append(row)
            output.note(_line(row, rounds))
            (out / f"{name}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        measured += rows
    report = write_report(out, out / "REPORT.md")
    if as_json:
        output.print_json({"v": 1, "report": str(report), "rows": measured})
    else:
        output.out.print(str(report))


def numbers_of(text: str) -> list[int]:
    """`1,2,4` or `1..4` → numbers of workers. Raises UserError for anything else."""
    try:
        if ".." in text:
            first, last = map(int, text.split(".."))
            found = list(range(first, last + 1))
        else:
            found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise UserError(
            f"--workers {text!r}: use a list such as 1,2,4 or a range such as 1..4", INVALID
        )
    return found


def _line(row: dict[str, Any], rounds: int) -> str:
    predicted = row.get("predicted_images_per_s")
    plan = f" (planned {predicted:.1f}/s)" if predicted else ""
    return (
        f"{row['scenario']} N={row['workers']} {row['method']}: {row['images_per_s']:.1f}/s"
        f"{plan}, round {row['round'] + 1} of {rounds}"
    )
