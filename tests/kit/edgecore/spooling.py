"""A sink that remembers, and short ways to run the spool."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgecore.uplink.sinks import Message, Refused, Unreachable
from edgecore.uplink.spooler import Spooler

DEADLINE_S = 20.0


@dataclass
class Remembering:
    """Takes up to ``max_messages``; ``script`` holds exceptions to raise before that."""

    max_messages: int = 1
    name: str = "remembering"
    script: list[Exception] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, messages: Sequence[Message]) -> int:
        self.changed.set()
        if self.script:
            raise self.script.pop(0)
        self.messages.extend(messages)
        return len(messages)

    async def close(self) -> None:
        pass


async def drained(spooler: Spooler, sink) -> None:
    """Run until the spool is empty."""
    task = asyncio.create_task(spooler.run(sink))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while spooler.stats()["spooled"]:
                assert not task.done(), task.exception()
                await asyncio.sleep(0.002)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def unreachable() -> Unreachable:
    return Unreachable("offline")


def refused(reason: str = "too_large") -> Refused:
    return Refused(reason, "never")
