"""A spool, a link and a sink, run together in one loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from waiting import until

from edgecore.uplink.backoff import Backoff
from edgecore.uplink.iot.identity import Identity, IdentityError, read_identity
from edgecore.uplink.iot.link import Link
from edgecore.uplink.iot.mqtt_sink import MqttSink
from edgecore.uplink.iot.pacing import Pace
from edgecore.uplink.iot.paho_session import connect
from edgecore.uplink.iot.port import CannotConnect
from edgecore.uplink.iot.problems import Problem
from edgecore.uplink.iot.refused import RefusedMessages
from edgecore.uplink.iot.window import Window
from edgecore.uplink.spooler import Spooler

DEADLINE_S = 40.0


def run(scenario: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario, 2 * DEADLINE_S))


def quick_backoff() -> Backoff:
    return Backoff(base_s=0.1, cap_s=0.3)


def unpaced() -> Pace:
    return Pace(messages_per_s=1e6, burst_messages=1e6, bytes_per_s=1e9, counted_per_s=1_000_000)


def identity_of(join: Path) -> Identity:
    try:
        return read_identity(join)
    except IdentityError as error:
        raise CannotConnect(Problem("identity", str(error))) from error


class Uplink:
    """``put`` messages; ``link``, ``sink`` and ``spooler`` are the real ones."""

    def __init__(self, folder: Path, join: Path, **parts: Any) -> None:
        self.folder = folder
        self.spooler = Spooler(folder / "spool.sqlite3", max_bytes=parts.pop("quota", 64 << 20))
        self.link = Link(
            lambda: identity_of(join),
            connect,
            backoff=parts.pop("backoff", quick_backoff()),
            pace=parts.pop("pace", unpaced()),
        )
        window = parts.pop("window", None) or Window()
        self.sink = MqttSink(self.link, RefusedMessages(folder / "refused"), window=window)
        self._tasks = [
            asyncio.ensure_future(self.link.run()),
            asyncio.ensure_future(self.spooler.run(self.sink)),
        ]

    async def put(
        self, count: int, topic: str = "t/results", size: int = 20, first: int = 0
    ) -> None:
        await asyncio.gather(
            *(self.spooler.put(topic, b"%0*d" % (size, n)) for n in range(first, first + count))
        )

    async def drained(self) -> None:
        await until(lambda: not self.spooler.stats()["spooled"], "the spool is empty")

    async def close(self) -> None:
        for task in reversed(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sink.close()
        await self.spooler.close()


@contextlib.asynccontextmanager
async def uplink(folder: Path, join: Path, **parts: Any) -> AsyncIterator[Uplink]:
    folder.mkdir(exist_ok=True)
    one = Uplink(folder, join, **parts)
    try:
        yield one
    finally:
        await one.close()
