"""A splitter with a camera that puts files, for tests of custody."""

from __future__ import annotations

from splitter_kit import JPEG, Bench, event

from lambdas.common.paths import read_inside


def put(bench, name, content=JPEG):
    """As a careful camera does: under another name, then renamed."""
    path = bench.images / name
    path.with_suffix(".part").write_bytes(content)
    path.with_suffix(".part").replace(path)
    return path


def read(bench, item):
    return read_inside(str(bench.images), item["kept"], 1 << 20, item["stat"])


def accept(bench, event_id="a", name="cam1/a.jpg"):
    assert bench.image(event(id=event_id, file=name))["answer"] == "accepted"
    return bench.work()[-1]


def custody_bench(tmp_path):
    bench = Bench(tmp_path)
    (bench.images / "cam1").mkdir()
    bench.heartbeat()
    return bench
