"""The plan: every shard of an archive, on this machine's disk, so that memory stays flat."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from contract.image_kinds import SUFFIXES
from replay.cut import Shard, cut, shard_of
from replay.errors import ReplayError
from replay.place import Entry, Place

VERSION = 1


class Plan:
    """Shards in order, read from the disk as often as needed. Close it when done."""

    def __init__(self, spool: IO[str], name: str, shards: int, images: int) -> None:
        self._spool, self.name, self.shards, self.images = spool, name, shards, images

    def __iter__(self) -> Iterator[Shard]:
        """One reader at a time."""
        self._spool.seek(0)
        for line in self._spool:
            yield shard_of(line)

    def close(self) -> None:
        self._spool.close()


def make_plan(
    archive: Place, shard_images: int, seen: Callable[[int], None] = lambda _: None,
    listed: Iterable[Entry] | None = None,
) -> Plan:  # fmt: skip
    """List and cut; `name` is the hash of all shards. Raises `ReplayError` without images.

    `listed`: these of the archive's images, instead of all.
    """
    spool = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 - the plan closes it
    digest, shards, images = hashlib.sha256(), 0, 0
    for shard in cut(archive.entries() if listed is None else listed, shard_images):
        spool.write(shard.line() + "\n")
        digest.update(shard.key.encode())
        shards += 1
        images += len(shard.names)
        seen(images)
    if not shards:
        spool.close()
        folder = archive.on_disk("")
        if folder and not Path(folder).is_dir():
            raise ReplayError(f"{archive.url}: no such folder")
        raise ReplayError(f"{archive.url}: no images there ({', '.join(sorted(SUFFIXES))})")
    spool.flush()
    return Plan(spool, digest.hexdigest()[:16], shards, images)


class Replay(NamedTuple):
    """One plan through one model; `model` is `model_key`'s."""

    plan: Plan
    model: str
    archive: Place
    store: Place

    @property
    def folder(self) -> str:
        """Below the output: what is made of all shards."""
        return f"{self.model}/replay={self.plan.name}"


def model_key(sha256: str) -> str:
    """`model={start of model.json's SHA-256}`, with the user's own code where there is some."""
    hooks = os.environ.get("FANFOLD_HOOKS", "")
    if not hooks:
        return f"model={sha256[:16]}"
    found = importlib.util.find_spec(hooks)
    if found is None or found.origin is None:
        raise ReplayError(f"FANFOLD_HOOKS={hooks}: no such module on PYTHONPATH")
    code = hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()
    return f"model={sha256[:16]}-hooks={code[:8]}"


def shard_name(model: str, key: str) -> str:
    """Where a shard's records are, below the output."""
    return f"{model}/shards/{key}.jsonl"
