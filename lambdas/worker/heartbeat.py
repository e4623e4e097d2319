"""Hello and heartbeats, and the watchdog that ends a worker that hangs."""

from __future__ import annotations

import os
import threading
from typing import Callable, Protocol, TypeVar

from contract.messages import Heartbeat, heartbeat_message, hello_message
from contract.timing import HEARTBEAT_S
from lambdas.common.bus import Bus
from lambdas.common.log import get_logger
from lambdas.common.waiting import Flag, ended_within
from lambdas.worker.activity import Activity
from lambdas.worker.send import Identity

EXIT_HUNG = 70

_log = get_logger("heartbeat")
_Own = TypeVar("_Own", bound="_Thread")


def new_incarnation() -> str:
    """A name that no earlier incarnation of this worker has had."""
    return os.urandom(6).hex()


class Holding(Protocol):
    """Images that cannot be read now (`hold`)."""

    @property
    def trouble(self) -> str: ...

    def look(self) -> None: ...


class Vitals(Protocol):
    """What is read of a pipeline."""

    @property
    def activity(self) -> Activity: ...

    @property
    def done(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def hold(self) -> Holding | None: ...

    def in_hand(self) -> list[str]: ...


class _Thread:
    """`_run` in a thread of its own until `_stopping`."""

    def __init__(self, name: str) -> None:
        self._stopping = Flag()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self: _Own) -> _Own:
        self._thread.start()
        return self

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping.set()
        ended_within(self._thread, timeout_s)

    def _run(self) -> None:
        raise NotImplementedError


class HeartbeatSender(_Thread):
    """Publishes hello until the core takes it, then heartbeats; a thread of its own, so that they
    also go out while the network runs and while a handler waits."""

    def __init__(
        self,
        bus: Bus,
        topic: str,
        identity: Identity,
        pipeline: Vitals,
        begin: Flag | None = None,
    ) -> None:
        """`begin`: hello waits for it."""
        self._bus, self._topic, self._identity = bus, topic, identity
        self._pipeline = pipeline
        self._begin = begin
        super().__init__("fanfold-heartbeat")

    def _run(self) -> None:
        while self._begin is not None and not self._begin.is_set_within(HEARTBEAT_S):
            if self._stopping.is_set():
                return
        hello = hello_message(*self._identity)
        while not self._bus.publish(self._topic, hello):
            if self._stopping.is_set_within(HEARTBEAT_S):
                return
        while not self._stopping.is_set_within(HEARTBEAT_S):
            self._bus.publish(self._topic, heartbeat_message(self._heartbeat()))

    def _heartbeat(self) -> Heartbeat:
        pipeline = self._pipeline
        _stage, busy_s = pipeline.activity.longest()
        worker, incarnation, model = self._identity.author
        hold = pipeline.hold
        if hold is not None:
            hold.look()
        # With the model: a splitter that was started again has not heard the hello.
        return Heartbeat(
            worker, incarnation, "heartbeat", model or None, busy_ms=busy_s * 1000,
            batches=pipeline.in_hand(), done=pipeline.done, failed=pipeline.failed,
            trouble=hold.trouble if hold is not None else "",
            accelerators=list(self._identity.accelerators) or None,
        )  # fmt: skip


class Watchdog(_Thread):
    """Ends the process when one image takes longer than `limit_s`: a thread stuck in
    native code cannot be stopped in any other way, and the core starts a new one."""

    def __init__(
        self, pipeline: Vitals, limit_s: float, exit_now: Callable[[int], None] = os._exit
    ) -> None:
        self._pipeline = pipeline
        self._limit_s = limit_s
        self._exit_now = exit_now
        super().__init__("fanfold-watchdog")

    def _run(self) -> None:
        while not self._stopping.is_set_within(min(1.0, self._limit_s / 4)):
            stage, busy_s = self._pipeline.activity.longest()
            if busy_s > self._limit_s:
                _log.critical(
                    "%s has taken %.1f s, limit %.1f s (FANFOLD_WORKER_TIMEOUT_S); batches %s: "
                    "ending this worker for a restart",
                    stage, busy_s, self._limit_s, ", ".join(self._pipeline.in_hand()),
                )  # fmt: skip
                self._exit_now(EXIT_HUNG)
                return
