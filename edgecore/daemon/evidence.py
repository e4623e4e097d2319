"""What the status needs beside the parts' own word: time, disks, certificates, memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from contract.durable.replaced import Replaced
from contract.status import CertificateStatus, DiskStatus, RecentStatus, Status
from edgecore.core.group import Group
from edgecore.core.options import Options
from edgecore.core.recent import Recent
from edgecore.core.verdict.machine import THE_PAGE
from edgecore.daemon.own_memory import OwnMemory
from edgecore.disk.space import disks
from edgecore.history.schema import file_of as history_file
from edgecore.uplink.iot.identity import IdentityError, read_identity
from edgecore.web.dashboard.ports import SiteView

log = logging.getLogger(__name__)

TICK_S = 1.0
DISKS_EVERY_S = 5.0


class Evidence:
    """``run`` beside the core; ``show`` every group that runs."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._recent = Recent()
        self.memory = OwnMemory()
        self._images_dir = ""
        self._devices: dict[str, bytes] = {}
        self._disks: list[DiskStatus] = []
        folders = (options.state, history_file(options.state).parent)
        self._databases = [Replaced(str(folder)) for folder in folders]
        self._expiries: dict[str, float] = {}
        self._ends: dict[bytes, float | None] = {}
        self._busy_limit_s: float | None = None

    def show(self, group: Group) -> None:
        """Another group runs."""
        self._recent.forget()
        self._images_dir = SiteView.of_group(group).images_dir
        listens = self._options.mqtt_port is not None
        self._devices = {
            thing.thing_name: thing.certificate_pem.encode()
            for thing in group.devices
            if thing.certificate_pem and listens
        }
        limit = group.site_environment.get("FANFOLD_WORKER_TIMEOUT_S", "")
        self._busy_limit_s = float(limit) if limit.isdecimal() else None

    @property
    def recent(self) -> RecentStatus:
        found = self._recent.status()
        if self._busy_limit_s is not None:
            found["busy_limit_s"] = self._busy_limit_s
        return found

    @property
    def disks(self) -> list[DiskStatus]:
        return self._disks

    @property
    def replaced(self) -> list[str]:
        """Databases of the core's own."""
        return [path for one in self._databases for path in one.paths]

    @property
    def certificates(self) -> list[CertificateStatus]:
        """By the clock as it is now: it may be set at any time."""
        now = time.time()
        return [
            {"name": name, "expires_in_s": round(at - now)} for name, at in self._expiries.items()
        ]

    async def run(self, status: Callable[[], Status]) -> None:
        """Until cancelled. A file system that hangs keeps its last figures, and nothing else."""
        loop = asyncio.get_running_loop()
        looking = asyncio.ensure_future(self._look())
        try:
            while True:
                self._recent.tick(status(), loop.time())
                await asyncio.sleep(TICK_S)
        finally:
            looking.cancel()

    async def _look(self) -> None:
        while True:
            paths = {"state": str(self._options.state), "images": self._images_dir}
            self._disks = await asyncio.to_thread(disks, {k: v for k, v in paths.items() if v})
            await asyncio.to_thread(self.memory.look)
            await asyncio.to_thread(self._look_whether_replaced)
            self._expiries = await asyncio.to_thread(self._read_certificates)
            await asyncio.sleep(DISKS_EVERY_S)

    def _look_whether_replaced(self) -> None:
        for path in [path for one in self._databases for path in one.look()]:
            log.error(
                "%s was replaced or removed while it is in use: what is remembered from now on is "
                "lost at the next start. Put databases back while the core is stopped",
                path,
            )

    def _read_certificates(self) -> dict[str, float]:
        """Name → epoch seconds of the end; what cannot be read is said elsewhere. Read anew each
        time, so that a new certificate counts at once, and parsed once."""
        found = dict(self._devices)
        if self._options.web.certificate is not None:
            with contextlib.suppress(OSError):
                found[THE_PAGE] = self._options.web.certificate.read_bytes()
        if self._options.join is not None:
            with contextlib.suppress(IdentityError, OSError):
                identity = read_identity(self._options.join)
                found[identity.thing] = identity.certificate.read()
        self._ends = {
            pem: self._ends[pem] if pem in self._ends else _end_of(pem) for pem in found.values()
        }
        ends = ((name, self._ends[pem]) for name, pem in found.items())
        return {name: end for name, end in ends if end is not None}


def _end_of(pem: bytes) -> float | None:
    from cryptography import x509  # only who has certificates pays

    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
    except ValueError:
        return None
