"""A splitter with a drop folder, for tests of what is picked up there."""

from __future__ import annotations

import os

from splitter_kit import JPEG, Bench


def put(bench, name, content=JPEG, at=1_000):
    path = bench.images / "drop" / "cam1" / name
    path.write_bytes(content)
    os.utime(str(path), (at, at))
    return path


def scan(bench, times=4):
    for _ in range(times):
        bench.heartbeat()
        bench.step(after_s=1.5)


def files(bench):
    return [item["file"] for item in bench.work()]


def drop_bench(tmp_path, monkeypatch):
    """Time is virtual here, and a busy machine's is not: it would put off the next scan."""
    monkeypatch.setattr("lambdas.splitter.dropfolder.SCAN_SHARE", 0)
    bench = Bench(tmp_path)
    (bench.images / "drop" / "cam1").mkdir(parents=True)
    return bench
