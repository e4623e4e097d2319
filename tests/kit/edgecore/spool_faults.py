"""Runs inside a process whose system calls may fail: the spool put to work, then judged.

`python spool_faults.py FOLDER STRIDE`: for every STRIDE-th system call below FOLDER and each
error, one run in which exactly that call fails. One line of JSON per run in which something
was lost, doubled or miscounted; the last line says how many runs there were.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from faulty_calls import FaultyCalls

from edgecore.uplink.spool_store import SpoolStore

ERRORS = (errno.EIO, errno.ENOSPC, errno.EMFILE)
MESSAGES = 24


def opened(path: Path) -> SpoolStore:
    return SpoolStore(path, max_bytes=1 << 20, policy="drop_oldest")


def work(path: Path, delivered: list[bytes]) -> list[bytes]:
    """What was taken; deliveries go to a far side that keeps everything.

    A core that cannot open its spool does not start, and one that cannot read it waits.
    """
    taken: list[bytes] = []
    with contextlib.suppress(sqlite3.Error, OSError), contextlib.closing(opened(path)) as store:
        for number in range(MESSAGES):
            payload = b"%06d" % number + bytes(3000)
            if store.commit([("t", payload)]) == [None]:
                taken.append(payload)
            if number % 4 == 3:
                deliver(store, delivered)
    return taken


def deliver(store: SpoolStore, delivered: list[bytes]) -> None:
    batch = store.peek(3, 1 << 20)
    delivered += [message.payload for message in batch]
    if batch:
        store.commit([], ack=batch[-1].id)


def judged(path: Path, taken: list[bytes], delivered: list[bytes]) -> dict[str, object]:
    """After everything works again: where is what was taken?"""
    store = opened(path)
    while batch := store.peek(100, 1 << 20):
        delivered += [message.payload for message in batch]
        store.commit([], ack=batch[-1].id)
    account = store.account
    store.close()
    order = list(dict.fromkeys(delivered))
    return {
        "lost": len(set(taken) - set(delivered)),
        "out_of_order": order != sorted(order),
        "miscounted": account.put != account.sent + account.rows + account.dropped.total(),
        "dropped": account.dropped.total(),
    }


def runs(folder: Path, stride: int) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    calls = FaultyCalls(folder / "faults")
    for error in ERRORS:
        number, reached = 1, True
        while reached:
            below = folder / "spool"
            shutil.rmtree(below, ignore_errors=True)
            below.mkdir()
            delivered: list[bytes] = []
            calls.nth(below, error, number)
            taken = work(below / "s.sqlite3", delivered)
            reached = calls.counted() >= number
            calls.none()
            run = {"errno": errno.errorcode[error], "call": number, "taken": len(taken)}
            yield run, judged(below / "s.sqlite3", taken, delivered)
            number += stride


if __name__ == "__main__":
    count = 0
    for run, verdict in runs(Path(sys.argv[1]), int(sys.argv[2])):
        count += 1
        if any(verdict.values()):
            print(json.dumps({**run, **verdict}))
    print(json.dumps({"runs": count}))
