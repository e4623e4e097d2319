"""What the verdict needs beside the parts' own word: time, disks, certificates."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from contract.status import CertificateStatus, DiskStatus, RecentStatus, Status
from edgecore.core.group import Group
from edgecore.core.options import Options
from edgecore.core.recent import Recent
from edgecore.disk.space import disks
from edgecore.uplink.iot.identity import IdentityError, read_identity
from edgecore.web.dashboard.ports import SiteView

log = logging.getLogger(__name__)

TICK_S = 1.0
DISKS_EVERY_S = 5.0
CERTIFICATES_EVERY_S = 3600.0


class Evidence:
    """``run`` beside the core; ``show`` every group that runs."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._recent = Recent()
        self._images_dir = ""
        self._devices: dict[str, bytes] = {}
        self._disks: list[DiskStatus] = []
        self._expiries: dict[str, float] = {}
        self._certificates_due = True

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
        self._certificates_due = True

    @property
    def recent(self) -> RecentStatus:
        return self._recent.status()

    @property
    def disks(self) -> list[DiskStatus]:
        return self._disks

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
        looked_at = float("-inf")
        while True:
            paths = {"state": str(self._options.state), "images": self._images_dir}
            self._disks = await asyncio.to_thread(disks, {k: v for k, v in paths.items() if v})
            if self._certificates_due or time.monotonic() - looked_at > CERTIFICATES_EVERY_S:
                looked_at, self._certificates_due = time.monotonic(), False
                self._expiries = await asyncio.to_thread(self._read_certificates)
            await asyncio.sleep(DISKS_EVERY_S)

    def _read_certificates(self) -> dict[str, float]:
        """Name → epoch seconds of the end; what cannot be read is said elsewhere."""
        found = dict(self._devices)
        if self._options.web.certificate is not None:
            with contextlib.suppress(OSError):
                found["the page"] = self._options.web.certificate.read_bytes()
        if self._options.join is not None:
            with contextlib.suppress(IdentityError, OSError):
                identity = read_identity(self._options.join)
                found[identity.thing] = identity.certificate.read()
        if not found:
            return {}
        from cryptography import x509  # only who has certificates pays

        ends = {}
        for name, pem in found.items():
            with contextlib.suppress(ValueError):
                certificate = x509.load_pem_x509_certificate(pem)
                ends[name] = certificate.not_valid_after_utc.timestamp()
        return ends
