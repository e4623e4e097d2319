"""The article's two figures and a stage breakdown, as SVG beside the report.

matplotlib is needed only here: `pip install 'fanfold[bench]'`; without it there are no plots.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

Row = dict[str, Any]
STAGES = ("queue", "read", "transform", "inference", "order")


def draw(runs: dict[str, list[Row]], folder: Path) -> list[tuple[str, Path]]:
    """(title, file) of each plot that these runs allow; [] without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        return []
    mpl.use("svg")
    # Text as text and fixed ids: a plot drawn again from the same rows is the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fanfold"})
    made = []
    for scenario, rows in runs.items():
        if scenario in {"real", "simulated"}:
            made.append(_total_time(scenario, rows, folder))
            made.append(_stage_times(scenario, rows, folder))
        if breakdown := _breakdown(scenario, rows, folder):
            made.append(breakdown)
    return made


def _medians(rows: list[Row], value: Any) -> dict[str, dict[int, float]]:
    """method → workers → median over the rounds of `value(row)`; None values left out."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        number = value(row)
        if number is not None:
            found.setdefault(row["method"], {}).setdefault(row["workers"], []).append(number)
    return {m: {n: statistics.median(v) for n, v in by.items()} for m, by in found.items()}


def _total_time(scenario: str, rows: list[Row], folder: Path) -> tuple[str, Path]:
    title = f"Total time against workers{_suffix(rows)}"
    figure, axes = _axes(title, "workers", "seconds for all images")
    for method, by in _medians(rows, lambda row: row["total_s"]).items():
        axes.plot(list(by), list(by.values()), marker="o", label=method)
    images = rows[0]["images"]
    axes.set_title(f"{title}: {images} images", fontsize=10)
    return title, _save(figure, axes, folder / f"plots/{scenario}-total.svg")


def _stage_times(scenario: str, rows: list[Row], folder: Path) -> tuple[str, Path]:
    title = f"p50 per image of transform and inference{_suffix(rows)}"
    figure, axes = _axes(title, "workers", "ms")
    for stage, line in (("transform", "-"), ("inference", "--")):
        medians = _medians(rows, lambda r, s=stage: r.get("stages_ms", {}).get(s, {}).get("p50"))
        for method, by in medians.items():
            label = f"{method}: {stage}"
            axes.plot(list(by), list(by.values()), line, marker="o", label=label)
    return title, _save(figure, axes, folder / f"plots/{scenario}-stages.svg")


def _breakdown(scenario: str, rows: list[Row], folder: Path) -> tuple[str, Path] | None:
    """Where an image's time goes, p50 of each stage, stacked."""
    own = [row for row in rows if row["method"].startswith("fanfold") and "stages_ms" in row]
    if not own:
        return None
    title = f"Where an image's time goes, {scenario}{_suffix(rows)}"
    figure, axes = _axes(title, "", "ms, p50 of each stage")
    bars = list(dict.fromkeys((row["method"], row["workers"]) for row in own))
    names = [f"{method.removeprefix('fanfold').strip() or 'fanfold'} N={n}" for method, n in bars]
    bottom = [0.0] * len(bars)
    for stage in STAGES:
        medians = _medians(own, lambda r, s=stage: r["stages_ms"].get(s, {}).get("p50"))
        heights = [medians.get(method, {}).get(n, 0.0) for method, n in bars]
        axes.bar(names, heights, bottom=bottom, label=stage)
        bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
    return title, _save(figure, axes, folder / f"plots/{scenario}-breakdown.svg")


def _suffix(rows: list[Row]) -> str:
    return " (simulated)" if rows[0]["simulated"] else ""


def _axes(title: str, x: str, y: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    if x == "workers":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(y)
    return figure, axes


def _save(figure: Any, axes: Any, path: Path) -> Path:
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    return path
