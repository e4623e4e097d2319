"""`python -m replay.array REPLAY --index I --of N`: task I of an array that runs a whole replay.

`REPLAY`: folder or S3 URI that `fanfold replay --render` wrote, with `job.json` and manifests.
Task I runs the shards I, I + N, I + 2N … Each start of a shard leaves a mark first: where three
marks and no result are found, the three tasks before died of it, and it is quarantined. A task
that is told to
go (SIGTERM: a node is drained or preempted) takes its mark back. Exit code 0: every shard of this
task is written; 1: try again; 2: the arguments are wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from replay.cut import Shard, shard_of
from replay.errors import ReplayError
from replay.opening import place_of
from replay.package import local_package, spec_of
from replay.place import Place
from replay.plan import model_key, shard_name
from replay.render.manifests import manifest_name
from replay.runner import Runner
from replay.shard import ATTEMPTS, Job, quarantined, run_shard


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m replay.array")
    parser.add_argument("replay", help="folder or S3 URI written by fanfold replay --render")
    parser.add_argument("--index", type=int, required=True, help="this task's number, from 0")
    parser.add_argument("--of", type=int, required=True, help="how many tasks there are")
    asked = parser.parse_args(arguments)
    if not 0 <= asked.index < asked.of:
        parser.error(f"--index {asked.index}: use 0 to {asked.of - 1}")
    try:
        Task(asked.replay).run(asked.index, asked.of)
    except FileNotFoundError as error:
        print(f"{error}: no replay was rendered there", file=sys.stderr)  # noqa: T201
        return 2
    except ReplayError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


class Task:
    def __init__(self, replay: str) -> None:
        self._replay = place_of(replay)
        document = json.loads(self._replay.read("job.json"))
        self._shards: int = document["shards"]
        self._job = Job(**document["job"])
        self._archive, self._store = place_of(self._job.source), place_of(self._job.out)
        self._runner: Runner | None = None
        self._mark = ""

    def run(self, index: int, of: int) -> None:
        signal.signal(signal.SIGTERM, self._leave)
        for number in range(index, self._shards, of):
            shard = shard_of(self._replay.read(manifest_name(number)).decode())
            if not self._store.exists(shard_name(self._job.model, shard.key)):
                self._one(shard)
        if self._runner is not None:
            self._runner.stop()

    def _one(self, shard: Shard) -> None:
        what = f"shard {shard.stream} {shard.first}-{shard.last}"
        self._mark = mark(self._store, self._job.model, shard)
        if not self._mark:
            quarantined(shard, self._job.model, self._store)
            _unmark(self._store, self._job.model, shard)
            _log(f"{what} is quarantined: {ATTEMPTS} tasks ended with it")
            return
        try:
            self._runner = self._runner or self._start()
            outcome = run_shard(shard, self._job.model, self._archive, self._store, self._runner)
        except ReplayError:
            self._take_back()  # it told why: no end of a process
            raise
        _log(f"{what}: {outcome.images} images in {outcome.seconds:.1f} s, failed {outcome.failed}")
        self._mark = ""
        _unmark(self._store, self._job.model, shard)

    def _start(self) -> Runner:
        """Raises `ReplayError`, also where records would stand under another model's key."""
        job, hooks = self._job, os.environ.get("FANFOLD_HOOKS", "none")
        folder = local_package(job.package)
        if (found := model_key(spec_of(folder).sha256)) != job.model:
            raise ReplayError(
                f"{job.package} with FANFOLD_HOOKS {hooks} is {found} here, and was {job.model} "
                "when this was rendered: render it again"
            )
        return Runner(folder, job.workers, job.gpus, job.python)

    def _leave(self, *_: Any) -> None:
        self._take_back()
        raise SystemExit(1)

    def _take_back(self) -> None:
        if self._mark:
            self._store.remove(self._mark)
            self._mark = ""


def mark(store: Place, model: str, shard: Shard) -> str:
    """Name of the mark that was left; empty: `ATTEMPTS` of them are there already."""
    for attempt in range(1, ATTEMPTS + 1):
        name = _mark_name(model, shard, attempt)
        if store.write_once(name, b""):
            return name
    return ""


def _unmark(store: Place, model: str, shard: Shard) -> None:
    """Its records are written: who removes them to have it tried again begins from nothing."""
    for attempt in range(1, ATTEMPTS + 1):
        store.remove(_mark_name(model, shard, attempt))


def _mark_name(model: str, shard: Shard, attempt: int) -> str:
    return f"{model}/attempts/{shard.key}.{attempt}"


def _log(message: str) -> None:
    print(message, flush=True)  # noqa: T201 - the task's log


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
