"""Shards, joined in order: one file per stream, each image in it once."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple
from urllib.parse import quote

from contract.messages import Record
from replay.ahead import read_ahead
from replay.cut import ROOT, Shard
from replay.errors import ReplayError
from replay.place import Place
from replay.plan import Replay, shard_name

#: Of an encoded stream's name; file systems take 255 bytes with all around it.
MAX_NAME = 200
#: What a cut leaves of an encoded byte.
_TORN = re.compile("%.?$")


class Joined(NamedTuple):
    """Counts over all streams; `streams`: name → images."""

    images: int
    ok: int
    failed: dict[str, int]
    streams: dict[str, int]


def join(replay: Replay, each: Callable[[Record], None]) -> Joined:
    """Write `stream={name}.jsonl` for each stream; `each` sees every record, in order.

    What is written is a function of the shards alone, so two that join write the same bytes.
    Raises `ReplayError` where a shard is missing or is not what the plan says.
    """
    plan, model, store = replay.plan, replay.model, replay.store
    images, ok, failed, streams = 0, 0, Counter[str](), Counter[str]()
    with TemporaryDirectory(prefix="fanfold-join-") as folder:
        files = _Files(Path(folder), replay.folder, store)
        for shard, content in read_ahead(plan, lambda each: _content(each, model, store)):
            files.append(shard.stream, content)
            for record in _records(shard, content):
                images += 1
                streams[shard.stream] += 1
                if record["status"] == "ok":
                    ok += 1
                else:
                    failed[str(record.get("reason") or record["status"])] += 1
                each(record)
        files.close()
    if images != plan.images:
        raise ReplayError(f"{images} records joined, {plan.images} images planned: not complete")
    return Joined(images, ok, dict(failed), dict(streams))


def _content(shard: Shard, model: str, store: Place) -> bytes:
    name = shard_name(model, shard.key)
    try:
        return store.read(name)
    except FileNotFoundError:
        raise ReplayError(
            f"{store.url}/{name} is not there: shard {shard.stream} {shard.first}-{shard.last} "
            "was not run; start the same replay again"
        ) from None


def _records(shard: Shard, content: bytes) -> Iterator[Record]:
    found = content.splitlines()
    if len(found) != len(shard.names):
        raise ReplayError(
            f"shard {shard.key}: {len(found)} records for {len(shard.names)} images. "
            "Remove its object and start the same replay again"
        )
    for index, line in enumerate(found):
        record = json.loads(line)
        expected = (shard.stream, shard.first + index, shard.names[index])
        if (record["stream"], record["seq"], record["file"]) != expected:
            raise ReplayError(f"shard {shard.key}, line {index + 1}: not the record of {expected}")
        yield record


class _Files:
    """One open file at a time; a stream that is over is sent, but the root's comes again."""

    def __init__(self, folder: Path, prefix: str, store: Place) -> None:
        self._folder, self._prefix, self._store = folder, prefix, store
        self._current: str | None = None  # "" is a stream too: keys in S3 may begin with a slash

    def append(self, stream: str, content: bytes) -> None:
        if self._current not in (None, stream, ROOT):
            self._send(self._current)
        self._current = stream
        with self._open(stream) as file:
            file.write(content)

    def close(self) -> None:
        for stream in {self._current, ROOT}:
            if stream is not None and self._path(stream).exists():
                self._send(stream)

    @contextmanager
    def _open(self, stream: str) -> Iterator[IO[bytes]]:
        with self._path(stream).open("ab") as file:
            yield file

    def _send(self, stream: str) -> None:
        path = self._path(stream)
        self._store.put_file(f"{self._prefix}/{path.name}", path)
        path.unlink()

    def _path(self, stream: str) -> Path:
        return self._folder / stream_file(stream)


def stream_file(stream: str) -> str:
    """Percent-encoded; a name that no folder would take ends in a hash of all of it."""
    name = quote(stream, safe="", errors="surrogateescape")
    if len(name) > MAX_NAME:
        digest = hashlib.sha256(stream.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        name = f"{_TORN.sub('', name[:MAX_NAME])}~{digest}"
    return f"stream={name}.jsonl"
