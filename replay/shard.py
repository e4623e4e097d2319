"""One shard: images in, its ordered records out, written once. The same function everywhere.

`array.py` runs it as one task of an array (Kubernetes, AWS Batch); templates that were rendered
before start that by this module's name.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from contract.messages import MAX_PATH_BYTES, Record, dumps, result_failed, utf8
from lambdas.pool.pool import IN_HAND
from replay.cut import Shard
from replay.errors import ReplayError
from replay.place import Place
from replay.plan import shard_name
from replay.runner import Runner

FETCHERS = 16
AHEAD = 64
#: Images of one message to the pool: a model that answers at once is held up by messages.
TOGETHER = 8
ATTEMPTS = 3
#: What a result says of its way through the pool, which is nobody's concern afterwards.
_POOLS_OWN = ("id", "attempt", "low", "job", "last", "ts", "t_in")


class Job(NamedTuple):
    """What is the same for all shards of a replay; `package`: a folder, or an archive's path."""

    source: str
    out: str
    model: str
    package: str
    workers: str = "auto"
    gpus: str = ""
    python: str = ""


class Outcome(NamedTuple):
    """`written` False: another one's records stand there, and these are theirs or none at all.

    `where`: the node of a cluster.
    """

    key: str
    images: int
    failed: dict[str, int]
    written: bool
    seconds: float = 0.0
    where: str = ""


def run_shard(shard: Shard, model: str, archive: Place, store: Place, runner: Runner) -> Outcome:
    """Idempotent: a shard that is there is left alone. Raises `ReplayError`."""
    start = time.monotonic()
    name = shard_name(model, shard.key)
    if store.exists(name):
        return Outcome(shard.key, len(shard.names), {}, False)
    records = _Collected(shard, archive, runner).records()
    _require_archive(archive, records)
    written = store.write_once(name, lines(records))
    failed = Counter(record["reason"] for record in records if record["status"] == "failed")
    seconds = time.monotonic() - start
    return Outcome(shard.key, len(shard.names), dict(failed), written, seconds)


def _require_archive(archive: Place, records: Sequence[Record]) -> None:
    """A volume that is not mounted is no image's fault. Raises `ReplayError`."""
    root = archive.on_disk("")
    if root is None:
        return
    missing = [record["file"] for record in records if record.get("reason") == "not_found"]
    folders = {str(Path(root, name).parent) for name in missing}
    gone = sorted(folder for folder in folders if not Path(folder).is_dir())
    if len(missing) == len(records) and not any(Path(root).glob("*")):
        gone = [root]
    if gone:
        raise ReplayError(
            f"{gone[0]}: it was listed, and is not there any more, so nothing is known of its "
            "images. Mount it again, or, where it is gone for good, start the same replay again: "
            "it lists what is there then"
        )


def quarantined(shard: Shard, model: str, store: Place) -> bool:
    """A `failed` record for each image of a shard that ended its process `ATTEMPTS` times."""
    detail = f"{ATTEMPTS} processes ended with this image's shard in hand"
    failed = [
        _record(shard, index, result_failed({}, "killed_workers", detail))
        for index in range(len(shard.names))
    ]
    return store.write_once(shard_name(model, shard.key), lines(failed))


def lines(records: Iterable[Record]) -> bytes:
    return b"".join(utf8(dumps(record)) + b"\n" for record in records)


def _record(shard: Shard, index: int, result: Record) -> Record:
    kept = {key: value for key, value in result.items() if key not in _POOLS_OWN}
    head = {"stream": shard.stream, "seq": shard.first + index, "file": shard.names[index]}
    return {**kept, **head}


class _Collected:
    """Records of one shard, by place; what is under way does not grow with the shard."""

    def __init__(self, shard: Shard, archive: Place, runner: Runner) -> None:
        self._shard, self._archive, self._runner = shard, archive, runner
        self._results: list[Any] = [None] * len(shard.names)
        self._left = len(shard.names)
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._under_way = 0
        self._ahead = AHEAD

    def records(self) -> list[Record]:
        if self._archive.on_disk("") is None:
            self._fetch_all()
        else:
            self._hand_over_all()
        self._wait(lambda: self._left == 0)
        return [_record(self._shard, at, result) for at, result in enumerate(self._results)]

    def _hand_over_all(self) -> None:
        names = self._shard.names
        # One shard alone keeps every process of the pool at work.
        self._ahead = max(AHEAD, IN_HAND * TOGETHER * self._runner.processes)
        for start in range(0, len(names), TOGETHER):
            places = range(start, min(start + TOGETHER, len(names)))
            self._make_room(len(places))
            self._submit(places, [str(self._archive.on_disk(names[at])) for at in places])

    def _fetch_all(self) -> None:
        with (
            TemporaryDirectory(prefix="fanfold-replay-") as folder,
            ThreadPoolExecutor(FETCHERS) as fetchers,
        ):
            for index, name in enumerate(self._shard.names):
                self._make_room(1)
                fetchers.submit(self._fetched, index, name, Path(folder) / str(index))
            self._wait(lambda: self._left == 0)

    def _make_room(self, images: int) -> None:
        self._wait(lambda: self._under_way + images <= self._ahead)
        with self._changed:
            self._under_way += images

    def _fetched(self, index: int, name: str, path: Path) -> None:
        try:
            _keep(path, self._archive.read(name))
            self._submit([index], [str(path)], fetched=path)
        except FileNotFoundError:
            self._take([(index, result_failed({}, "not_found", "it was listed, and is gone"))])
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _submit(
        self, places: Sequence[int], paths: Sequence[str], fetched: Path | None = None
    ) -> None:
        short = {at: path for at, path in zip(places, paths, strict=True) if _is_short(path)}
        if len(short) < len(places):
            failed = result_failed(
                {}, "not_found", f"its path has more than {MAX_PATH_BYTES} bytes"
            )
            self._take([(at, failed) for at in places if at not in short])
        known = list(short)

        def taken(results: Sequence[tuple[int, Record]]) -> None:
            if fetched is not None:
                fetched.unlink(missing_ok=True)
            self._take([(known[place], result) for place, result in results])

        if short:
            self._runner.submit(list(short.values()), taken)

    def _take(self, results: Sequence[tuple[int, Record]]) -> None:
        with self._changed:
            for index, result in results:
                self._results[index] = result
            self._left -= len(results)
            self._under_way -= len(results)
            if self._left == 0 or self._under_way <= self._ahead - TOGETHER:
                self._changed.notify_all()

    def _wait(self, ready: Any) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: ready() or self._error is not None, 1.0):
                    if self._error is not None:
                        raise self._error
                    return
            self._runner.check()


def _keep(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ReplayError(
            f"{path.parent}: no image can be kept there: {error.strerror or error}. Make room, "
            "or set TMPDIR to another folder, and start the same replay again"
        ) from error


def _is_short(path: str) -> bool:
    return len(path.encode("utf-8", "surrogateescape")) <= MAX_PATH_BYTES


if __name__ == "__main__":
    import runpy

    runpy.run_module("replay.array", run_name="__main__")
