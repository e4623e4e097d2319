"""What runs in a Ray worker: one shard, by the model that this process keeps loaded."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import ray

from replay.cut import shard_of
from replay.engines.process_slot import ProcessSlot
from replay.errors import CannotLoadError, OverloadedError, ReplayError
from replay.opening import place_of
from replay.package import unpacked
from replay.place import Place
from replay.runner import Runner
from replay.shard import Job, run_shard

#: Below the output, where that is a folder: who does not find it there sees another folder.
SHARED = "shared"
_slot = ProcessSlot()


def run(line: str, job: Job, package: bytes, whole_gpus: bool) -> tuple[str, Any]:
    """What went wrong is told in values, which any driver unpickles."""
    node = str(ray.get_runtime_context().get_node_id())
    try:
        archive, store = _places(job.source, job.out)
        _require_shared(job, store)
        gpus = [str(gpu) for gpu in ray.get_gpu_ids()]
        alone = [f"{node[:16]}-{gpu}" for gpu in gpus] if whole_gpus else []
        with _slot.using((job, *gpus), alone, lambda: _runner(job, package, gpus)) as runner:
            outcome = run_shard(shard_of(line), job.model, archive, store, runner)
    except OverloadedError as error:
        return "again", str(error)
    except CannotLoadError as error:
        return "unfit", (node, f"the package does not fit node {node[:12]}: {error}")
    except ReplayError as error:
        return "unable", (node, f"node {node[:12]}: {error}")
    except Exception as error:
        return "unable", (node, f"node {node[:12]}: {type(error).__name__}: {error}")
    return "done", outcome._replace(where=node[:12])._asdict()


def _runner(job: Job, package: bytes, gpus: Sequence[str]) -> Runner:
    # Ray shows a task its own GPUs only, counted from 0.
    ids = ",".join(str(index) for index, _ in enumerate(gpus))
    return Runner(unpacked(package), "1", ids, job.python)


@functools.lru_cache(maxsize=1)
def _places(source: str, out: str) -> tuple[Place, Place]:
    """A client of S3 costs a tenth of a second, so each process makes them once."""
    return place_of(source), place_of(out)


def _require_shared(job: Job, store: Place) -> None:
    """Records in a folder that the driver does not see would be lost. Raises `ReplayError`."""
    if store.on_disk("") is not None and not store.exists(f"{job.model}/{SHARED}"):
        raise ReplayError(
            f"{store.url} is another folder here than at the driver: mount it under the same "
            "path on every node, or use s3://"
        )
