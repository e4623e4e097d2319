"""Replayed records against those recorded live: by image file, on this machine's disk."""

from __future__ import annotations

import heapq
import json
import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from contract.agreement import judge
from contract.agreement_tally import Tally
from contract.messages import Record
from replay.ahead import read_ahead
from replay.errors import ReplayError
from replay.place import Place

WORST, MAX_FLIPS = 50, 100
KINDS = (".json", ".jsonl")
#: Steps of the drift's histogram; percentiles are right to half of one.
DRIFT_STEP = 0.005
Parsed = Callable[[str, bytes], Iterator[tuple[str, Record]]]


class Worst(NamedTuple):
    """Sorts by how bad the disagreement is, then by its number."""

    weight: float
    number: int
    file: str
    live: Record
    replayed: Record


def require_results(results: Place, parsed: Parsed) -> None:
    """Before a long replay is compared with them. Raises `ReplayError` where there can be none."""
    found = next((each.name for each in results.entries() if each.name.endswith(KINDS)), None)
    if found is None:
        raise no_records(results)
    try:
        for _ in parsed(found, results.read(found)):
            pass
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise no_batch(f"{results.url}/{found}", error) from error


def batches(results: Place) -> Iterator[tuple[str, bytes]]:
    """Objects with records below `results`, in order."""
    names = (entry.name for entry in results.entries() if entry.name.endswith(KINDS))
    return read_ahead(names, results.read)


def no_records(results: Place) -> ReplayError:
    return ReplayError(
        f"--against {results.url}: no records there that name a file; give the folder or "
        "prefix with batches/ or results/ of a site"
    )


def no_batch(name: str, error: Exception) -> ReplayError:
    return ReplayError(f"{name} is no batch of results: {error}")


class Live:
    """The last terminal record of each file, in a database that is gone with its connection."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a temporary file, on disk once it is large
        self._database.execute("CREATE TABLE live (file TEXT PRIMARY KEY, record TEXT)")
        self.records = 0

    def load(self, results: Place, parsed: Parsed) -> None:
        """Every batch or outbox object below `results`. Raises `ReplayError`."""
        for name, content in batches(results):
            self._add(f"{results.url}/{name}", content, parsed)
        if not self.records:
            raise no_records(results)

    def _add(self, name: str, content: bytes, parsed: Parsed) -> None:
        try:
            rows = [
                (record["file"], json.dumps(record)) for _, record in parsed(name, content)
                if record.get("file") and record.get("status") not in (None, "gap")
            ]  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise no_batch(name, error) from error
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO live VALUES (?, ?)", rows)
        self.records += len(rows)

    def of(self, file: str) -> Record | None:
        row = self._database.execute("SELECT record FROM live WHERE file = ?", (file,)).fetchone()
        found: Record | None = json.loads(row[0]) if row else None
        return found

    def close(self) -> None:
        self._database.close()


class Comparison:
    """`add` each replayed record; what it holds does not grow with their number."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.compared = self.not_recorded = self.with_region = 0
        self._tally = Tally()
        self._drifts: Counter[int] = Counter()
        self._worst: list[Worst] = []

    def add(self, record: Record) -> None:
        live = self._live.of(record["file"])
        if live is None:
            self.not_recorded += 1
            return
        judged = judge(live, record)
        self.compared += 1
        self.with_region += "region" in live
        self._tally.add(live, record, judged, judged.agree)
        self._drifts.update(round(drift / DRIFT_STEP) for drift in judged.drifts)
        if judged.weight > 0:
            worst = Worst(judged.weight, self.compared, record["file"], live, record)
            push = heapq.heappush if len(self._worst) < WORST else heapq.heappushpop
            push(self._worst, worst)

    @property
    def worst(self) -> list[Worst]:
        """The worst first."""
        return sorted(self._worst, reverse=True)

    def summary(self) -> dict[str, Any]:
        """What `report.json` says; docs/spec/replay.md."""
        return {
            "compared": self.compared,
            "not_recorded": self.not_recorded,
            "with_region": self.with_region,
            "agreement": self._tally.agreement(),
            "flips": self._tally.most_flips("live", "replayed", MAX_FLIPS),
            "score_drift": self._drift(),
        }

    def _drift(self) -> dict[str, Any]:
        found = self._tally.drift()
        if count := found["count"]:
            found.update({f"p{share}": self._percentile(share, count) for share in (1, 50, 99)})
        return found

    def _percentile(self, share: int, count: int) -> float:
        steps = sorted(self._drifts)
        sums, total = [], 0
        for step in steps:
            total += self._drifts[step]
            sums.append(total)
        at = min(bisect_right(sums, share / 100 * count), len(steps) - 1)
        return round(steps[at] * DRIFT_STEP, 6)
