"""The core's way to the cloud, whichever it was given: the spool, what empties it, credentials."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from contract.status import UplinkStatus
from edgecore.core.group import Group
from edgecore.core.options import Options
from edgecore.uplink.credential_provider import (
    Credentials,
    no_credentials,
    static_credentials,
)
from edgecore.uplink.opening import open_sink, open_spooler
from edgecore.uplink.sinks import Sink
from edgecore.uplink.spooler import Spooler
from edgecore.uplink.token_exchange import token_exchange

if TYPE_CHECKING:
    from edgecore.daemon.cloud_side import CloudSide
    from edgecore.faultinjection import FaultPlan


class Uplink:
    """``open`` once, before a group runs; ``close``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.spooler: Spooler
        self.joined: CloudSide | None = None
        """Of a core with a device certificate (``--join``)."""
        self._sending: asyncio.Task[None] | None = None

    def open(self, group: Group, plan: FaultPlan | None) -> None:
        self.spooler = open_spooler(self._options, group)
        if self._options.join is not None:
            from edgecore.daemon.cloud_side import CloudSide  # TLS and MQTT: who joins pays

            self.joined = CloudSide(self._options)
            self.joined.start()
        sink: Sink = self.joined.sink if self.joined else open_sink(self._options, group)
        if plan is not None:
            from edgecore.faultinjection import FaultySink

            sink = FaultySink(sink, plan)
        self._sending = asyncio.ensure_future(self.spooler.run(sink))

    def credentials(self) -> Credentials:
        """What functions are answered."""
        if self._options.insecure_static_credentials:
            return static_credentials
        if self.joined is not None:
            return self.joined.credentials.get
        exchange = token_exchange()
        return no_credentials if exchange is None else exchange.get

    def status(self) -> UplinkStatus:
        """``cloud`` of ``/api/status``."""
        spooled = self.spooler.stats()
        return {**spooled, **(self.joined.status() if self.joined else {})}

    def findings(self) -> list[str]:
        return self.joined.findings() if self.joined else []

    async def close(self) -> None:
        """Also after an ``open`` that failed, or none."""
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        if self.joined is not None:
            await self.joined.close()
        if hasattr(self, "spooler"):
            await self.spooler.close()
