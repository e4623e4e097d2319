"""A bad way to the cloud: a sink before the sink."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from edgecore.faultinjection.plan import FaultPlan
from edgecore.uplink.sinks import Message, Sink, Unreachable


class FaultySink:
    """Down, flapping, or taking messages without acknowledging them."""

    def __init__(
        self, sink: Sink, plan: FaultPlan, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = sink.name
        self.max_messages = sink.max_messages
        self._sink = sink
        self._faults = plan.cloud
        self._clock = clock
        self._began = clock()
        self._random = random.Random(f"{plan.seed}/cloud")  # noqa: S311 - to be repeated

    async def deliver(self, messages: Sequence[Message]) -> int:
        if self._is_down():
            raise Unreachable("fault plan: the link is down")
        taken = await self._sink.deliver(messages)
        if self._random.random() < self._faults.ack_lost:
            raise Unreachable("fault plan: the acknowledgement is lost")
        return taken

    async def close(self) -> None:
        await self._sink.close()

    def _is_down(self) -> bool:
        elapsed_s = self._clock() - self._began
        if any(start <= elapsed_s < end for start, end in self._faults.down):
            return True
        flapping = self._faults.flapping
        if flapping is None:
            return False
        return elapsed_s % (flapping.up_s + flapping.down_s) >= flapping.up_s
