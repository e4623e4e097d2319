"""What was asked of each scenario, and what its rounds show. Pure: rows in, outcomes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.stats import Spread, paired_ratio, rates

Row = dict[str, Any]
PATH_PSS_MB = 150
COMPILED_PSS_MB = 500


@dataclass(frozen=True)
class Target:
    """One target: `asked` in words, `measured` over the rounds, `met` by the median."""

    what: str
    asked: str
    measured: Spread
    met: bool

    @property
    def outcome(self) -> str:
        """Fewer than three rounds, or rounds far apart, prove nothing either way."""
        word = "yes" if self.met else "**no**"
        if self.measured.stable:
            return word
        return f"unproven ({self.measured.rounds} rounds; the median says {word})"


def targets(scenario: str, rows: list[Row]) -> Iterator[Target]:
    """Verdicts on one scenario's rows, all numbers of workers together."""
    counts = sorted({row["workers"] for row in rows})
    for workers in counts:
        yield from _PER_COUNT[scenario](_Rows(rows, workers, f"{scenario} N={workers}"))
    if scenario == "real" and {1, 2} <= set(counts):
        one, two = (_Rows(rows, n, "").rates("fanfold") for n in (1, 2))
        if found := _ratio(two, one):
            yield _least("real: own N=2 ÷ N=1", 1.9, found)
    if scenario == "transform" and {1, 2} <= set(counts):
        one, two = (
            [row["stages_ms"]["transform"]["p50"] for row in _Rows(rows, n, "").of("fast")]
            for n in (1, 2)
        )
        if found := _ratio(two, one):
            yield _most("transform: fast, p50 of N=2 ÷ N=1", 1.05, found)


class _Rows:
    """Rows of one scenario and number of workers."""

    def __init__(self, rows: list[Row], workers: int, label: str) -> None:
        self.label = label
        self._rows = [row for row in rows if row["workers"] == workers]
        self.workers = workers

    def of(self, method: str) -> list[Row]:
        return [row for row in self._rows if row["method"] == method]

    def rates(self, method: str) -> list[float]:
        return rates(self._rows, method)

    def spread(self, method: str, value: Callable[[Row], float]) -> Spread | None:
        rows = self.of(method)
        return Spread.of([value(row) for row in rows]) if rows else None


def _ratio(subject: list[float], control: list[float]) -> Spread | None:
    shared = min(len(subject), len(control))
    return paired_ratio(subject[:shared], control[:shared]) if shared else None


def _least(what: str, least: float, measured: Spread) -> Target:
    return Target(what, f"≥ {least:g}", measured, measured.median >= least)


def _most(what: str, most: float, measured: Spread) -> Target:
    return Target(what, f"≤ {most:g}", measured, measured.median <= most)


def _ratios(rows: _Rows, subject: str, least: dict[str, float]) -> Iterator[Target]:
    for control, factor in least.items():
        if found := _ratio(rows.rates(subject), rows.rates(control)):
            yield _least(f"{rows.label}: {subject} ÷ {control}", factor, found)


def _memory(rows: _Rows) -> Iterator[Target]:
    if found := rows.spread("fanfold", lambda row: row["path_pss_kb"] / 1e3):
        yield _most(f"{rows.label}: core + splitter + aggregator, MB PSS", PATH_PSS_MB, found)


def _real(rows: _Rows) -> Iterator[Target]:
    if rows.workers == 2:
        yield from _ratios(rows, "fanfold", {"raw_loop": 0.97, "article_pool": 1.0})
        yield from _ratios(
            rows, "fanfold compiled", {"article_pool": 1.85, "raw_loop compiled": 0.98}
        )
        compiled = rows.spread("fanfold compiled", lambda row: row["workers_pss_kb"] / 1e3)
        if compiled:
            what = f"{rows.label}: two workers with the compiled package, MB PSS"
            yield _most(what, COMPILED_PSS_MB, compiled)
    if busy := rows.spread("fanfold", lambda row: row["busy_share"]):
        yield _least(f"{rows.label}: worker busy share", 0.98, busy)
    yield from _memory(rows)


def _noop(rows: _Rows) -> Iterator[Target]:
    if rates := rows.rates("fanfold"):
        yield _least(f"{rows.label}: images/s, durable and ordered", 2000, Spread.of(rates))
    yield from _memory(rows)


def _latency(rows: _Rows) -> Iterator[Target]:
    for p, most in (("p50", 5.0), ("p99", 15.0)):
        found = rows.spread("fanfold", lambda row, p=p: row["stages_ms"]["end_to_end"][p])  # type: ignore[misc]
        if found:
            yield _most(f"low load, end to end {p}, ms", most, found)
    yield from _memory(rows)


def _simulated(rows: _Rows) -> Iterator[Target]:
    # Above four the processor is the limit, and the ideal is not the accelerators' alone.
    if rows.workers <= 4 and (found := rows.spread("fanfold", _share_of_ideal)):
        yield _least(f"{rows.label}, simulated: share of the ideal", round(1 / 1.08, 3), found)
    least = {4: 1.65, 8: 1.95}.get(rows.workers)
    controls = rows.rates("article_pool")
    if least and (found := _ratio(rows.rates("fanfold"), controls)):
        # Where the control is quick, accelerators that never wait are not so far ahead of it.
        most = _ratio([r["images"] / r["ideal_s"] for r in rows.of("fanfold")], controls)
        yield _least(f"{rows.label}: fanfold ÷ article_pool (ideal: {most})", least, found)


def _transform(rows: _Rows) -> Iterator[Target]:
    if rows.workers == 2:
        yield from _ratios(rows, "fast", {"article": 2.3})
        yield from _ratios(rows, "exact", {"article": 1.5})
    for mode in ("fast", "exact"):
        if found := rows.spread(mode, lambda row: row["faults_per_image"]):
            yield _most(f"{rows.label}: {mode}, page faults per image", 50, found)


def _slow_worker(rows: _Rows) -> Iterator[Target]:
    if found := rows.spread("fanfold", _share_of_ideal):
        yield _least(f"{rows.label}, simulated: share of the ideal", 0.95, found)


def _share_of_ideal(row: Row) -> float:
    share: float = row["ideal_s"] / row["total_s"]
    return share


def _nothing(_rows: _Rows) -> Iterator[Target]:
    return iter(())


_PER_COUNT: dict[str, Callable[[_Rows], Iterator[Target]]] = {
    "real": _real,
    "noop": _noop,
    "latency": _latency,
    "simulated": _simulated,
    "transform": _transform,
    "slow-worker": _slow_worker,
    "strategies": _nothing,
}
