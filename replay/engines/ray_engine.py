"""A Ray cluster: shards as tasks that any node can take, the model loaded once per process.

A task holds one CPU and, where asked, GPUs; its Ray worker keeps a pool of one process, so an image
that ends that process is found there and costs one record. Ray's own retries are off: what is tried
again, and what is accused, is the ledger's business.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import ray
from ray import exceptions

import contract
import edgecore
import lambdas
import replay
from replay.cut import Shard
from replay.engines import ray_task
from replay.engines.engine import CameBack, Done, Ended, Event, Notice, Unable
from replay.errors import CannotLoadError, ReplayError
from replay.opening import place_of
from replay.package import packed
from replay.shard import Job, Outcome

#: Tasks that wait beside those that run, so that a core that comes free has work at once, and
#: what adds nodes to a cluster sees that there is some.
WAITING = 2
LOOK_S, SAY_S = 1.0, 60.0
REACH_S = 10.0
#: How long a replay waits for the first node that can take a task: one may be starting.
NODE_PATIENCE_S = 900.0


class RayEngine:
    isolates = True

    def __init__(self, job: Job, address: str, cpus: float = 1.0, gpus: float = 0.0) -> None:
        """`address`: `auto`, `host:port` or `ray://host:port`. Raises `ReplayError`."""
        self._cpus, self._gpus = cpus, gpus
        package = packed(job.package)
        _connect(address)
        store = place_of(job.out)
        if store.on_disk("") is not None:
            store.write_once(f"{job.model}/{ray_task.SHARED}", b"")
        self._job, self._package = job._replace(package="", gpus=""), ray.put(package)
        self._task = ray.remote(
            # Ray would end a process after each task with a GPU, and the model with it.
            num_cpus=cpus, num_gpus=gpus, max_retries=0, max_calls=0, scheduling_strategy="SPREAD",
        )(ray_task.run)  # fmt: skip
        self._in_hand: dict[Any, Shard] = {}
        self._slots: dict[str, int] = {}
        self._look_at = self._say_at = 0.0
        self._some_at = time.monotonic()

    @property
    def places(self) -> int:
        return len(self._nodes())

    def room(self) -> int:
        """By what the cluster has now: nodes come and go."""
        return sum(self._nodes().values()) + WAITING - len(self._in_hand)

    def submit(self, shard: Shard) -> None:
        reference = self._task.remote(shard.line(), self._job, self._package, self._gpus >= 1)
        self._in_hand[reference] = shard

    def wait(self, timeout_s: float) -> list[Event]:
        if not self._in_hand:
            time.sleep(timeout_s)
        held = list(self._in_hand)
        ready, _ = ray.wait(held, num_returns=1, timeout=timeout_s)
        if ready:  # hundreds of tasks end in a second of a large cluster
            ready, _ = ray.wait(held, num_returns=len(held), timeout=0)
        events = [self._event(reference, self._in_hand.pop(reference)) for reference in ready]
        return [*events, *self._without_a_node()]

    def stop(self) -> None:
        with contextlib.suppress(exceptions.RayError, ConnectionError):  # it may be gone itself
            for reference in self._in_hand:
                ray.cancel(reference, force=True)
        self._in_hand.clear()
        ray.shutdown()

    def _nodes(self) -> dict[str, int]:
        """Node → how many tasks fit on it, for nodes that are alive and can take one."""
        if time.monotonic() >= self._look_at:
            alive = [node for node in ray.nodes() if node["Alive"]]
            fits = {node["NodeID"]: self._fit(node["Resources"]) for node in alive}
            self._slots = {node: count for node, count in fits.items() if count}
            self._look_at = time.monotonic() + LOOK_S
        return self._slots

    def _fit(self, have: dict[str, float]) -> int:
        by_cpu = int(have.get("CPU", 0) / self._cpus)
        return min(by_cpu, int(have.get("GPU", 0) / self._gpus)) if self._gpus else by_cpu

    def _without_a_node(self) -> list[Event]:
        """Raises `ReplayError` when none came for so long."""
        now = time.monotonic()
        if self._nodes():
            self._some_at = now
        elif now - self._some_at >= NODE_PATIENCE_S:
            raise ReplayError(f"{self._wanted()}, for {NODE_PATIENCE_S / 60:.0f} minutes now")
        elif now >= self._say_at:
            self._say_at = now + SAY_S
            return [Notice(f"{self._wanted()}; it waits until one joins")]
        return []

    def _wanted(self) -> str:
        gpus = f" and {self._gpus:g} GPU" if self._gpus else ""
        return f"no node of the cluster has {self._cpus:g} CPU{gpus} (`ray status` shows them)"

    def _event(self, reference: Any, shard: Shard) -> Event:
        try:
            return _event(shard, *ray.get(reference))
        except (exceptions.NodeDiedError, exceptions.ObjectLostError) as error:
            return CameBack(shard, f"a node went away ({type(error).__name__})")
        except (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError) as error:
            return Ended([shard], _first_line(error))
        except (exceptions.RayTaskError, exceptions.RuntimeEnvSetupError) as error:
            # The function itself raises nothing: what it imports is not there.
            where = str(getattr(error, "ip", ""))
            missing = f"node {where} cannot run Fanfold: {_last_line(error)}"
            return Unable(shard, where, CannotLoadError(missing))
        except exceptions.RayError as error:
            return CameBack(shard, f"Ray: {_first_line(error)}")


def _event(shard: Shard, kind: str, said: Any) -> Event:
    """What `ray_task.run` returned."""
    match kind:
        case "done":
            return Done(Outcome(**said))
        case "again":
            return CameBack(shard, said)
    where, why = said
    return Unable(shard, where, (CannotLoadError if kind == "unfit" else ReplayError)(why))


def _connect(address: str) -> None:
    """Raises `ReplayError`."""
    try:
        _reach(address)
        ray.init(
            address=address, log_to_driver=False, logging_level="ERROR",
            runtime_env=_our_code(address), ignore_reinit_error=True,
        )  # fmt: skip
    except ImportError as error:  # Ray's own part for such an address is an extra of it
        raise ReplayError(f"--ray {address}: {error}; pip install 'fanfold[ray]'") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise ReplayError(
            f"--ray {address}: no cluster there ({error}); `ray start --head` starts one"
        ) from error


def _reach(address: str) -> None:
    """Ray itself tries a port where nobody answers for minutes. Raises `OSError`."""
    host, _, port = address.removeprefix("ray://").rstrip("/").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:200]


def _our_code(address: str) -> dict[str, Any]:
    """Nodes are sent these packages; what they import must be there."""
    modules = [str(Path(each.__path__[0])) for each in (contract, edgecore, lambdas, replay)]
    hooks = os.environ.get("FANFOLD_HOOKS")
    env = {"FANFOLD_HOOKS": hooks} if hooks else {}
    if not address.startswith("ray://"):  # this machine is of the cluster, the others are like it
        env["PYTHONPATH"] = os.pathsep.join(each for each in sys.path if each)
    return {"env_vars": env, "py_modules": modules}
