"""Entry point of the pool Lambda (pinned; encoding type `json`): one function, N processes.

To the splitter it is one worker with a larger window: the same hello, heartbeats and results.
"""

from __future__ import annotations

import os
from typing import Any

from contract.messages import Record, done_messages
from lambdas.common import log
from lambdas.common.addressed import work_for
from lambdas.common.bus import Bus, GreengrassBus
from lambdas.common.log import get_logger
from lambdas.common.settings import inference_settings
from lambdas.common.starting import EXIT_CANNOT, starting
from lambdas.pool.member import Job
from lambdas.pool.pool import Owner, Pool
from lambdas.pool.sizing import parse_gpus, processes
from lambdas.worker.activity import Activity
from lambdas.worker.heartbeat import HeartbeatSender, new_incarnation
from lambdas.worker.send import ATTEMPTS, Identity

_log = get_logger("pool")


class PoolHold:
    """Its processes hold images themselves, and say why."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def trouble(self) -> str:
        return self._pool.trouble

    def look(self) -> None:
        """Each process looks itself."""


class Vitals:
    """What `HeartbeatSender` reads of a pipeline, for a pool."""

    def __init__(self, pool: Pool) -> None:
        self.activity = Activity()
        self.in_hand = pool.in_hand
        self.hold = PoolHold(pool)
        self.done = self.failed = 0

    def count(self, results: list[Record]) -> None:
        failed = sum(result["status"] != "ok" for result in results)
        self.failed += failed
        self.done += len(results) - failed


class PoolWorker(Owner):
    """Between the splitter's messages and the processes."""

    def __init__(self, bus: Bus) -> None:
        env = dict(os.environ, FANFOLD_ROLE="inference")
        self._settings = inference_settings(env)
        gpu_ids = parse_gpus(env.get("FANFOLD_GPU_IDS", ""))
        count = processes(env.get("FANFOLD_POOL_WORKERS", "auto"), gpu_ids)
        self._bus = bus
        settings = self._settings
        self._pool = Pool(count, gpu_ids, env, self)
        self._identity = Identity(
            settings.worker,
            new_incarnation(),
            {},
            settings.earlier_end,
            self._pool.accelerators,
        )
        self._vitals = Vitals(self._pool)
        self._pool.start()
        _log.info("%s: %d processes, GPUs %s", settings.worker, count,
                  ",".join(map(str, gpu_ids)) or "none")  # fmt: skip

    def handle(self, event: Any) -> None:
        """Returns when a process has taken the batch; at a probe, when none is in hand."""
        work = work_for(event, self._identity.incarnation)
        if work is None:
            return
        if work.probe is not None:
            self._pool.drain()
        else:
            self._pool.submit(Job(work.batch, work.attempt, work.items, volume=work.volume))

    def ready(self, model: Record) -> None:
        self._identity = self._identity._replace(model=model)
        topic = self._settings.heartbeat_topic
        HeartbeatSender(self._bus, topic, self._identity, self._vitals).start()

    def done(self, job: Job, results: list[Record]) -> None:
        self._vitals.count(results)
        topic = self._settings.done_topic
        for message in done_messages(job.batch, *self._identity.author, results):
            if not any(self._bus.publish(topic, message) for _ in range(ATTEMPTS)):
                _log.error("results of %s not taken by the core; it will ask again", job.batch)

    def broken(self, message: str) -> None:
        _log.critical("the pool cannot start: %s", message)
        os._exit(EXIT_CANNOT)  # the core restarts this function with back-off


if os.environ.get("FANFOLD_ROLE") == "pool":
    # SettingsError is a ValueError, and so is what sizing refuses.
    with starting("pool", ValueError):
        log.configure(os.environ.get("FANFOLD_LOG_LEVEL", "INFO"))
        _worker = PoolWorker(GreengrassBus())


def handler(event: Any, context: Any) -> None:  # noqa: ARG001 - the core's signature
    """Take one batch or probe; what becomes of it travels in messages."""
    _worker.handle(event)
