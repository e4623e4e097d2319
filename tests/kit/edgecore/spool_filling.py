"""Scenarios of a spool: filled, and read by number."""

from __future__ import annotations

import asyncio

from spooling import DEADLINE_S, Remembering

from edgecore.uplink.spooler import Spooler


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 3 * DEADLINE_S))


def numbers_of(sink: Remembering) -> list[int]:
    return [int(m.payload[:8]) for m in sink.messages]


async def fill(spooler: Spooler, count: int, size: int = 8, start: int = 0) -> list[bool]:
    return await asyncio.gather(
        *(spooler.put("t", b"%08d" % n + bytes(size - 8)) for n in range(start, start + count))
    )
