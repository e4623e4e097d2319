"""What an array's tasks read: the job, and one manifest for each shard."""

from __future__ import annotations

import json
from typing import NamedTuple

from replay.plan import Replay
from replay.shard import Job


class Array(NamedTuple):
    """Tasks that run all shards of the replay at `url`, each in a container of `image`."""

    name: str
    url: str
    shards: int
    image: str
    cpus: int = 1
    memory_mb: int = 2048
    gpus: int = 0
    parallel: int = 100
    hooks: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """What the user's own code is found by, in the image too."""
        return {"FANFOLD_HOOKS": self.hooks} if self.hooks else {}


def write_manifests(replay: Replay, job: Job) -> str:
    """URL of the replay, which is the argument of `python -m replay.array`."""
    store, folder = replay.store, replay.folder
    for index, shard in enumerate(replay.plan):
        store.write_once(f"{folder}/{manifest_name(index)}", shard.line().encode())
    document = {
        "v": 1, "shards": replay.plan.shards, "images": replay.plan.images, "job": job._asdict()
    }  # fmt: skip
    content = json.dumps(document, sort_keys=True, indent=1).encode()
    if not store.write_once(f"{folder}/job.json", content):
        store.remove(f"{folder}/job.json")  # workers, GPUs or the package's place have changed
        store.write_once(f"{folder}/job.json", content)
    return f"{store.url}/{folder}"


def manifest_name(index: int) -> str:
    """Below the replay's folder; shards are numbered from 0."""
    return f"manifests/{index:08d}.json"
