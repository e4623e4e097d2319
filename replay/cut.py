"""Entries of an archive → shards: pure, streamed, the same cut for the same archive.

A stream is the first folder below the archive. Images of a stream keep the order of their names.
A shard's key is a hash of what it holds, so an archive that has grown shares all whole shards
with the replay before, and two replays of the same thing meet on the same keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from contract.image_kinds import SUFFIXES
from replay.place import Entry

SHARD_IMAGES = 1000
#: The stream of images that lie in no folder.
ROOT = "images"


class Shard(NamedTuple):
    """Consecutive images of one stream; `first` is the first's number in it, from 1."""

    key: str
    stream: str
    first: int
    names: tuple[str, ...]

    @property
    def last(self) -> int:
        return self.first + len(self.names) - 1

    def line(self) -> str:
        return json.dumps(self._asdict())


def shard_of(line: str) -> Shard:
    """What `Shard.line` wrote."""
    document = json.loads(line)
    return Shard(document["key"], document["stream"], document["first"], tuple(document["names"]))


def stream_of(name: str) -> str:
    folder, slash, _ = name.partition("/")
    return folder if slash else ROOT


def is_image(name: str) -> bool:
    """By its suffix: what a camera would not call an image is none of the archive's images."""
    dot = name.rfind(".")
    return dot >= 0 and name[dot:].lower() in SUFFIXES


def cut(entries: Iterable[Entry], shard_images: int = SHARD_IMAGES) -> Iterator[Shard]:
    """Shards in order; memory holds one open shard per stream that is open, two at most."""
    held: dict[str, list[Entry]] = {}
    counts: dict[str, int] = {}
    for entry in entries:
        if not is_image(entry.name):
            continue
        stream = stream_of(entry.name)
        for ended in [each for each in held if each not in (stream, ROOT)]:
            yield _shard(ended, counts, held.pop(ended))
        images = held.setdefault(stream, [])
        images.append(entry)
        if len(images) == shard_images:
            yield _shard(stream, counts, held.pop(stream))
    for stream, images in held.items():
        yield _shard(stream, counts, images)


def _shard(stream: str, counts: dict[str, int], images: list[Entry]) -> Shard:
    first = counts.get(stream, 0) + 1
    counts[stream] = first + len(images) - 1
    digest = hashlib.sha256(json.dumps([1, stream, first]).encode())
    for image in images:
        digest.update(json.dumps(image).encode())
    return Shard(digest.hexdigest()[:32], stream, first, tuple(image.name for image in images))
