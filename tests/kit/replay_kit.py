"""Archives, stores and engines for the tests of a replay."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

import cv2
import numpy as np

from replay.drive import Driver
from replay.engines.local import LocalEngine
from replay.finish import finish
from replay.package import spec_of
from replay.place import Folder
from replay.plan import Replay, make_plan, model_key
from replay.shard import Job


def jpeg(value: int) -> bytes:
    return cv2.imencode(".jpg", np.full((16, 16, 3), value % 256, np.uint8))[1].tobytes()


def archive_of(folder: Path, **streams: int) -> Path:
    """`cam1=12`: twelve images below `cam1/`."""
    for stream, count in streams.items():
        (folder / stream).mkdir(parents=True)
        for number in range(count):
            (folder / stream / f"{number:05}.jpg").write_bytes(jpeg(number))
    return folder


def package(folder: Path, runtime: str = "noop", **simulation) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "v": 1, "name": "sim", "version": "1.0.0", "runtime": runtime, "task": "classification",
        "input": {"shape": [1, 3, 8, 8]}, "simulated": simulation,
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(document))
    return folder


class Heard:
    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        self.messages.append(message)

    def progress(self, tally) -> None:
        """Nobody watches."""


class Whole:
    """One replay over folders, and what came of it."""

    def __init__(
        self, archive, out, model: Path, shard_images: int = 5, workers: str = "1", listed=None
    ):
        self.store = Folder(out) if isinstance(out, Path) else out
        self.archive = Folder(archive) if isinstance(archive, Path) else archive
        self.spec = spec_of(str(model))
        self.plan = make_plan(self.archive, shard_images, listed=listed)
        key = model_key(self.spec.sha256)
        self.replay = Replay(self.plan, key, self.archive, self.store)
        self.job = Job(self.archive.url, self.store.url, key, str(model), workers)
        self.heard = Heard()

    def run(self, engine=None):
        engine = engine or LocalEngine(self.job)
        return Driver(self.replay, engine, self.heard, first_pause_s=0.0).run()

    def finish(self, against=None):
        return finish(self.replay, self.spec, against)

    def records(self) -> dict[str, list[dict]]:
        """Stream → its joined records."""
        found = {}
        for entry in self.store.entries(f"{self.replay.folder}/"):
            name = entry.name.rpartition("/")[2]
            if name.startswith("stream="):
                lines = self.store.read(entry.name).splitlines()
                found[name[len("stream=") : -len(".jsonl")]] = [json.loads(line) for line in lines]
        return found


class ScriptedEngine:
    """Answers as the test says: `events(shard)` for each shard, in order."""

    def __init__(self, events, isolates: bool = False, lanes: int = 2, places=1) -> None:
        self.isolates, self._events, self._lanes = isolates, events, lanes
        self.places = places
        self._held: deque = deque()
        self.submitted: list[str] = []

    def room(self) -> int:
        return self._lanes - len(self._held)

    def submit(self, shard) -> None:
        self.submitted.append(shard.key)
        self._held.append(shard)

    def wait(self, timeout_s):
        return self._events(self._held)

    def stop(self) -> None:
        self._held.clear()


def whole_of(tmp_path, images=20):
    return Whole(
        archive_of(tmp_path / "in", cam1=images), tmp_path / "out", package(tmp_path / "m")
    )
