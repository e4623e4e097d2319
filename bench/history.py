"""The history at size: disk, insert rate and search times, for as many records as are asked for.

    python -m bench.history --records 10000000 --file build/history.sqlite3

With ``--file`` the file is kept, and a load that was interrupted goes on where it was. Records are
a plant's: 16 cameras, 12 labels of which 3 are defects (3 %), 0.5 % failures, names as
cameras give them, spread over half a year. Prints one JSON object and a table.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from edgecore.core.observers import Message
from edgecore.history.query import Query, parse
from edgecore.history.reader import LIMIT_S, Reader, TooSlowError
from edgecore.history.recorder import Recorder
from edgecore.history.rows import Found, Row
from edgecore.history.schema import open_for_writing
from edgecore.history.settings import Settings
from edgecore.history.store import Batch, Store

START = 1_770_000_000.0
SPAN_S = 180 * 86_400.0
CAMERAS = [f"press-{n}" for n in range(1, 17)]
LABELS = [f"good-{n}" for n in range(9)] + ["crack", "dent", "scratch"]
DEFECTS = frozenset(LABELS[9:])
BATCH = 1_000
PROGRESS = 500_000


def rows(count: int, seed: int = 1) -> Iterator[Row]:
    """As they would come, in order of time."""
    dice = random.Random(seed)
    for n in range(count):
        camera = CAMERAS[n % len(CAMERAS)]
        t = START + SPAN_S * n / count
        is_failed, is_defect = dice.random() < 0.005, dice.random() < 0.03
        label = dice.choice(LABELS[9:] if is_defect else LABELS[:9])
        day = time.strftime("%Y-%m-%d", time.gmtime(t))
        yield Row(
            t=t, camera=camera, seq=n // len(CAMERAS) + 1, status="failed" if is_failed else "ok",
            id=f"sha256:{dice.getrandbits(128):032x}", name=f"{camera}-{n:08}.jpg",
            folder=f"drop/{camera}/{day}", job=f"lot-{n // 500}", worker=f"w{n % 4}",
            model="lite0 1.0.0", reason="truncated" if is_failed else "",
            detail="Premature end of JPEG file" if is_failed else "", ms=dice.uniform(20, 90),
            labels=() if is_failed else (Found(label, dice.random(), 1),),
            defect=is_defect and not is_failed,
        )  # fmt: skip


def fill(path: Path, count: int) -> dict[str, Any]:
    """``store_cpu_us``: CPU of one record in ``Store.add``, beside what the disk takes."""
    connection = open_for_writing(path, 8 << 30).connection
    store, before = Store(connection), _held(connection)
    worked_s = cpu_s = 0.0
    missing = islice(rows(count), before, None) if before < count else iter(())
    for written, batch in _batches(missing):
        began, cpu = time.perf_counter(), time.process_time()
        store.add(batch)
        worked_s += time.perf_counter() - began
        cpu_s += time.process_time() - cpu
        if (before + written) % PROGRESS == 0:
            print(f"{before + written:,} of {count:,}, {cpu_s / written * 1e6:.0f} us CPU each",
                  file=sys.stderr, flush=True)  # fmt: skip
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    size, added = path.stat().st_size, max(count - before, 1)
    return {
        "records": count,
        "bytes": size,
        "bytes_per_record": round(size / count, 1),
        "inserted_per_s": round(added / worked_s) if worked_s else 0,
        "store_cpu_us": round(cpu_s / added * 1e6, 1),
    }


def _held(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM images").fetchone()[0])


def _batches(found: Iterator[Row]) -> Iterator[tuple[int, Batch]]:
    """With how many records there have been so far."""
    written = 0
    while taken := list(islice(found, BATCH)):
        written += len(taken)
        yield written, Batch(rows=taken)


def path_cost(folder: Path, count: int = 40_000, per_message: int = 8) -> dict[str, float]:
    """CPU of one image: in the core's loop (the path of the images), and in the writer's thread."""
    made = Recorder(folder / "path.sqlite3")
    made.show("hall", Settings(time_zone="UTC", defects=DEFECTS))
    messages = list(_messages(count, per_message))
    began = time.process_time()
    for message in messages:
        made.observer.offer(message)
    offered = time.process_time()
    store = Store(open_for_writing(made.path, 8 << 30).connection)
    while batch := made.collect():
        store.add(batch)
    written = time.process_time()
    return {
        "loop_us_per_image": round((offered - began) / count * 1e6, 2),
        "writer_us_per_image": round((written - offered) / count * 1e6, 2),
    }


def _messages(count: int, per_message: int) -> Iterator[Message]:
    """As the aggregator publishes them, with all that a record has."""
    for first in range(0, count, per_message):
        records = [
            {
                "stream": "press-1", "seq": n, "id": f"sha256:{n:032x}", "status": "ok",
                "task": "classification", "file": f"drop/press-1/{n:08}.jpg", "job": "lot-1",
                "last": False, "low": n, "attempt": 1, "t_in": START + n / 100 - 0.04,
                "sha256": f"{n:064x}", "worker": "w0",
                "output": {"top": [{"label": f"l{k}", "index": k, "score": 0.9 / (k + 1)}
                    for k in range(5)]},
                "model": {"name": "lite0", "version": "1.0.0", "sha256": "a" * 64},
                "ms": {"queue": 3.1, "read": 0.4, "transform": 7.9, "inference": 15.8},
            }
            for n in range(first, first + per_message)
        ]  # fmt: skip
        body = {"v": 1, "site": "hall", "stream": "press-1", "results": records}
        yield Message(
            t=START + first / 100, topic="hall/results/press-1", payload=json.dumps(body).encode()
        )


def searches(count: int) -> dict[str, dict[str, str]]:
    end = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(START + SPAN_S / 2))
    return {
        "newest 100": {},
        "one camera": {"camera": "press-7"},
        "one camera, in the middle": {"camera": "press-7", "until": end},
        "label, score above 0.9": {"label": "crack", "score_min": "0.9"},
        "failed": {"status": "failed"},
        "failed of one camera": {"status": "failed", "camera": "press-3"},
        "defects in the middle": {"defect": "1", "until": end},
        "name": {"name": f"press-5-{count // 2 // 16 * 16 + 4:08}"},
        "name with * (reads all)": {"name": "*-00000017.jpg"},
        "job": {"job": f"lot-{count // 1000}"},
    }


def timed(answer: Callable[[], Any]) -> dict[str, Any]:
    """The first time and the median of five more, milliseconds; a search that gives up says so.

    ``cpu_ms`` is the least of them all: what another program's work does not change.
    """
    taken: list[float] = []
    worked: list[float] = []
    found: Any = None
    for _ in range(6):
        began, cpu = time.perf_counter(), time.process_time()
        try:
            found = answer()
        except TooSlowError:
            found = "gave up at the limit"
        taken.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - cpu) * 1000)
        if isinstance(found, str):
            break
    size = found if isinstance(found, str) else len(getattr(found, "records", found))
    later = sorted(taken[1:]) or taken
    return {
        "first_ms": round(taken[0], 1),
        "ms": round(later[len(later) // 2], 1),
        "cpu_ms": round(min(worked), 1),
        "found": size,
    }


def _search(reader: Reader, query: Query) -> Any:
    return reader.search(query)


def ask(path: Path, count: int, limit_s: float) -> dict[str, Any]:
    reader = Reader(path, limit_s)
    settings = Settings(time_zone="UTC", defects=DEFECTS)
    now = START + SPAN_S
    found = {
        name: timed(partial(_search, reader, parse(given, now, settings.zone)))
        for name, given in searches(count).items()
    }
    week = now - 7 * 86_400
    found["defect rate by hour, 7 days"] = timed(lambda: reader.counts("hour", week, now, settings))
    found["defect rate by shift, 180 days"] = timed(
        lambda: reader.counts("shift", START, now, settings)
    )
    found["labels, 180 days"] = timed(lambda: reader.labels(START, now))
    return found


def main() -> None:
    arguments = argparse.ArgumentParser("bench.history")
    arguments.add_argument("--records", type=int, default=100_000)
    arguments.add_argument(
        "--file", type=Path, help="fill this one, or go on filling it, and keep it"
    )
    arguments.add_argument(
        "--limit-s",
        type=float,
        default=LIMIT_S,
        help="of one search, as on the page; more where the machine has other work",
    )
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.file or Path(folder) / "history.sqlite3"
        facts = fill(path, given.records)
        asked = ask(path, given.records, given.limit_s)
        cost = path_cost(Path(folder))
    print(json.dumps({**facts, **cost, "searches": asked}))
    print(
        f"CPU of one image: {cost['loop_us_per_image']} us in the core's loop, "
        f"{cost['writer_us_per_image']} us in the writer's thread"
    )
    size = facts["bytes"] / (1 << 20)
    print(
        f"{facts['records']:,} records, {size:,.0f} MiB ({facts['bytes_per_record']} bytes each), "
        f"{facts['inserted_per_s']:,} inserted a second, {facts['store_cpu_us']} us of CPU each"
    )
    for name, times in asked.items():
        print(f"{name:34} first {times['first_ms']:9.1f} ms   then {times['ms']:9.1f} ms   "
            f"CPU {times['cpu_ms']:8.1f} ms   {times['found']}")  # fmt: skip


if __name__ == "__main__":
    main()
