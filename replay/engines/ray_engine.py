"""A Ray cluster: shards as tasks that any node can take, the model loaded once per process.

One task holds `num_cpus=1` (or one GPU); its Ray worker keeps a pool of one process, so an image
that ends that process is found there and costs one record. Ray's own retries are off: what is tried
again, and what is accused, is the ledger's business.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import ray
from ray import exceptions

import contract
import edgecore
import lambdas
import replay
from replay.cut import Shard, shard_of
from replay.engines.engine import CameBack, Done, Ended, Event, Unable
from replay.errors import CannotLoadError, OverloadedError, ReplayError
from replay.package import unpacked
from replay.place import place_of
from replay.runner import Runner
from replay.shard import Job, Outcome, run_shard

#: Tasks that wait beside those that run, so that a core that comes free has work at once.
WAITING = 2
_runners: dict[Job, Runner] = {}


def _task(line: str, job: Job, package: bytes) -> tuple[str, Any]:
    """Runs in a Ray worker. What went wrong is told in values, which any driver unpickles."""
    where = f"node {ray.get_runtime_context().get_node_id()[:12]}"
    try:
        runner = _runners.get(job)
        if runner is None:
            folder = unpacked(package) if package else job.package
            # Ray shows a task its own GPUs only, counted from 0.
            gpus = ",".join(str(index) for index, _ in enumerate(ray.get_gpu_ids()))
            runner = _runners[job] = Runner(folder, "1", gpus, job.python)
        archive, store = place_of(job.source), place_of(job.out)
        outcome = run_shard(shard_of(line), job.model, archive, store, runner)
    except CannotLoadError as error:
        _runners.pop(job, None)
        return "unable", (where, str(error))
    except OverloadedError as error:
        return "again", str(error)
    except Exception as error:
        return "error", f"{where}: {type(error).__name__}: {error}"
    return "done", outcome._asdict()


class RayEngine:
    isolates = True

    def __init__(self, job: Job, address: str, cpus: float = 1.0, gpus: float = 0.0) -> None:
        """`address`: `auto`, `host:port` or `ray://host:port`. Raises `ReplayError`."""
        try:
            ray.init(
                address=address, log_to_driver=False, logging_level="ERROR",
                runtime_env=_our_code(address), ignore_reinit_error=True,
            )  # fmt: skip
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ReplayError(
                f"--ray {address}: no cluster there ({error}); `ray start --head` starts one"
            ) from error
        self._cpus, self._gpus = cpus, gpus
        package = b"" if Path(job.package).is_dir() else Path(job.package).read_bytes()
        self._job, self._package = job, ray.put(package)
        self._task = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_retries=0, scheduling_strategy="SPREAD"
        )(_task)
        self._in_hand: dict[Any, Shard] = {}

    def room(self) -> int:
        """By what the cluster has now: nodes come and go."""
        have = ray.cluster_resources()
        slots = have.get("GPU", 0) / self._gpus if self._gpus else have.get("CPU", 0) / self._cpus
        return int(slots) + WAITING - len(self._in_hand)

    def submit(self, shard: Shard) -> None:
        reference = self._task.remote(shard.line(), self._job, self._package)
        self._in_hand[reference] = shard

    def wait(self, timeout_s: float) -> list[Event]:
        ready, _ = ray.wait(list(self._in_hand), num_returns=1, timeout=timeout_s)
        return [self._event(reference, self._in_hand.pop(reference)) for reference in ready]

    def stop(self) -> None:
        for reference in self._in_hand:
            ray.cancel(reference, force=True)
        self._in_hand.clear()
        ray.shutdown()

    def _event(self, reference: Any, shard: Shard) -> Event:
        try:
            kind, said = ray.get(reference)
        except (exceptions.NodeDiedError, exceptions.ObjectLostError) as error:
            return CameBack(shard, f"a node went away ({type(error).__name__})")
        except (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError) as error:
            return Ended([shard], _first_line(error))
        except exceptions.RayError as error:
            return CameBack(shard, f"Ray: {_first_line(error)}")
        match kind:
            case "done":
                return Done(Outcome(**said))
            case "unable":
                return Unable(shard, *said)
            case "again":
                return CameBack(shard, said)
        raise ReplayError(f"shard {shard.stream} {shard.first}-{shard.last}: {said}")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"


def _our_code(address: str) -> dict[str, Any]:
    """Nodes of a cluster elsewhere are sent these packages; what they import must be there."""
    hooks = os.environ.get("FANFOLD_HOOKS")
    env = {"env_vars": {"FANFOLD_HOOKS": hooks}} if hooks else {}
    if not address.startswith("ray://"):
        path = os.pathsep.join(each for each in sys.path if each)
        return {"env_vars": {**env.get("env_vars", {}), "PYTHONPATH": path}}
    modules = [str(Path(each.__path__[0])) for each in (contract, edgecore, lambdas, replay)]
    return {**env, "py_modules": modules}
