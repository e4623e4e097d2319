"""The durable way to the cloud: put, survive, deliver in order."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from contract.status import SpoolStatus
from edgecore.uplink.backoff import Backoff
from edgecore.uplink.committer import Committer
from edgecore.uplink.settings import DEFAULT_MAX_BYTES, Policy
from edgecore.uplink.sinks import Message, Refused, Sink, StaleEpoch, Unreachable
from edgecore.uplink.spool_store import SpoolStore

log = logging.getLogger(__name__)

_BATCH_FRACTION = 4  # of the quota at most in flight: there is always something to drop


class Spooler:
    """FIFO from the router to one sink (docs/spec/uplink.md).

    ``path`` None keeps it in memory, V1's default storage. ``policy`` when the quota
    ``max_bytes`` is reached: ``drop_oldest`` (V1's) or ``refuse``. Opening may raise
    ``sqlite3.Error`` or ``OSError``; a damaged file is set aside and rescued instead.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        policy: Policy = "drop_oldest",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = SpoolStore(path, max_bytes=max_bytes, policy=policy)
        self._committer = Committer(self._store)
        self._max_bytes = max_bytes
        self._policy = policy
        self._sleep = sleep
        self._backoff = Backoff()
        self._wake = asyncio.Event()
        self._sink = ""
        self._last_sync: float | None = None
        self._last_error: str | None = None
        self.renumbered = 0
        self._refusing: str | None = None  # why the last message was not taken

    async def put(self, topic: str, payload: bytes) -> bool:
        """True: on disk. False: refused and counted by reason."""
        reason = await self._committer.put(topic, payload)
        self._refusing = reason
        if reason is None:
            self._wake.set()
        return reason is None

    async def run(self, sink: Sink) -> None:
        """Deliver until cancelled. Never raises for what a sink does."""
        self._sink = sink.name
        while True:
            self._wake.clear()
            try:
                batch = await self._peek(sink)
            except (sqlite3.Error, OSError) as error:
                await self._wait(error)
                continue
            if not batch:
                await self._wake.wait()
                continue
            try:
                taken = await sink.deliver(batch)
            except Refused as refusal:
                await self._drop(batch[0], refusal)
            except StaleEpoch as error:
                await self._renumber(error)
            except Unreachable as error:
                await self._wait(error)
            except Exception as error:
                log.exception("cloud sink %s failed", sink.name)
                await self._wait(error)
            else:
                await self._delivered(batch, taken)

    def stats(self) -> SpoolStatus:
        """For ``/api/status`` and metrics; cheap, no IO."""
        account, salvage = self._store.account, self._store.salvage
        return {
            "sink": self._sink,
            "policy": self._policy,
            "quota_bytes": self._max_bytes,
            "spooled": account.rows,
            "spooled_bytes": account.bytes,
            "put": account.put,
            "sent": account.sent,
            "dropped": account.dropped.total(),
            "dropped_by_reason": dict(account.dropped),
            "refusing": self._refusing,
            "problem": self._store.problem,
            "refused": account.refused.total(),
            "refused_by_reason": dict(account.refused),
            "gaps": [list(gap) for gap in account.gaps],
            "renumbered": self.renumbered,
            "rescued": salvage.rescued if salvage else 0,
            "failures": self._backoff.failures,
            "last_error": self._last_error,
            "last_sync": self._last_sync,
        }

    async def close(self) -> None:
        """Finish the commits that were asked for and close the file."""
        await asyncio.to_thread(self._committer.close)
        self._store.close()

    async def _peek(self, sink: Sink) -> list[Message]:
        quota_share = self._max_bytes // _BATCH_FRACTION
        budget = min(quota_share, getattr(sink, "max_bytes", quota_share))
        found: list[Message] = await self._committer.call(
            lambda: self._store.peek(sink.max_messages, budget)
        )
        return found

    async def _delivered(self, batch: list[Message], taken: int) -> None:
        if not 1 <= taken <= len(batch):
            raise ValueError(f"sink {self._sink}: took {taken} of {len(batch)} messages")
        self._backoff.reset()
        self._last_sync = time.time()
        self._last_error = None
        await self._committer.call(lambda: self._store.commit([], ack=batch[taken - 1].id))

    async def _drop(self, message: Message, refusal: Refused) -> None:
        log.error("the cloud rejects a message on %r permanently: %s", message.topic, refusal)
        await self._committer.call(lambda: self._store.drop_first(message.id, refusal.reason))

    async def _renumber(self, error: StaleEpoch) -> None:
        log.error("spool: %s: it is numbered under a new epoch", error)
        self.renumbered += 1
        try:
            await self._committer.call(self._store.renew_epoch)
        except (sqlite3.Error, OSError) as failure:
            await self._wait(failure)

    async def _wait(self, error: Exception) -> None:
        self._last_error = str(error) or type(error).__name__
        if self._backoff.failures == 0:
            log.warning("cloud sink %s is not reachable: %s", self._sink, self._last_error)
        await self._sleep(self._backoff.next_s())
