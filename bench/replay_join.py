"""CPU of a replay's driver after the last shard: joining the records, and comparing them.

    python -m bench.replay_join --shards 100

Writes so many shards of 1,000 records as a replay does, then joins them in a process of its own,
without and with recorded results of every image. CPU says what a busy machine's clock cannot.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from bench.machine import describe
from contract.messages import Record
from fanfold.cloud.landed import records_of
from lambdas.model.spec import parse_model
from replay.cut import cut
from replay.finish import finish
from replay.place import Entry, Folder
from replay.plan import Replay, make_plan, shard_name
from replay.shard import lines

SHARD = 1_000
PACKAGE = {
    "v": 1, "name": "joined", "version": "1.0.0", "runtime": "noop", "task": "classification",
    "input": {"shape": [1, 3, 8, 8]},
}  # fmt: skip


def record(stream: str, seq: int, file: str) -> Record:
    top = [{"label": f"class {n}", "index": n, "score": 0.9 / (n + 1)} for n in range(3)]
    return {
        "status": "ok", "task": "classification", "output": {"top": top},
        "ms": {"read": 0.4, "transform": 7.9, "inference": 15.8},
        "stream": stream, "seq": seq, "file": file,
    }  # fmt: skip


def joined(folder: Path, shards: int) -> dict[str, float]:
    entries = [Entry(f"cam1/{n:09}.jpg", 1, "m") for n in range(shards * SHARD)]
    out, live = Folder(folder / "out"), Folder(folder / "live")
    plan = make_plan(Folder(folder), SHARD, listed=entries)
    size = 0
    for shard in cut(entries, SHARD):
        found = [record(shard.stream, shard.first + n, name) for n, name in enumerate(shard.names)]
        size += len(content := lines(found))
        out.write_once(shard_name("model=x", shard.key), content)
        batch = {"v": 1, "epoch": "e", "results": found}
        live.write_once(f"{shard.key}.json", json.dumps(batch).encode())
    whole = Replay(plan, "model=x", Folder(folder), out)
    spec = parse_model(json.dumps(PACKAGE).encode())
    images = shards * SHARD
    begun = time.process_time()
    finish(whole, spec, None)
    alone = time.process_time() - begun
    begun = time.process_time()
    finish(whole, spec, (live, records_of))
    compared = time.process_time() - begun
    plan.close()
    return {
        "images": images, "bytes_per_record": round(size / images),
        "cpu_us_joined": round(alone / images * 1e6, 1),
        "cpu_us_compared": round(compared / images * 1e6, 1),
    }  # fmt: skip


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "bench.replay_join", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--shards", type=int, default=100)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as work:
        found = joined(Path(work), given.shards)
    print(json.dumps({"machine": describe(), **found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
