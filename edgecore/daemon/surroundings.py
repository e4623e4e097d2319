"""How full disks are and how long certificates are valid: seen in a thread, now and then."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

DISKS_EVERY_S = 10.0
CERTIFICATES_EVERY_S = 600.0


class Surroundings:
    """``look`` once a second; ``disks`` and ``certificates`` are what was seen last.

    A volume that hangs keeps its last figure, and one thread.
    """

    def __init__(self, folders: Callable[[], Iterable[str]], files: Iterable[Path]) -> None:
        self._folders, self._files = folders, list(files)
        self.disks: dict[str, float] = {}
        self._ends: dict[str, float] = {}
        self._disks_at = self._files_at = float("-inf")
        self._looking: asyncio.Future[None] | None = None

    @property
    def certificates(self) -> dict[str, float]:
        """File → seconds that it is still valid."""
        now = time.time()
        return {file: end - now for file, end in self._ends.items()}

    def look(self) -> None:
        if self._looking is not None and not self._looking.done():
            return
        now = time.monotonic()
        if now - self._disks_at >= DISKS_EVERY_S:
            self._disks_at = now
            due = now - self._files_at >= CERTIFICATES_EVERY_S
            if due:
                self._files_at = now
            work = asyncio.to_thread(self._see, list(self._folders()), due)
            self._looking = asyncio.ensure_future(work)

    def _see(self, folders: list[str], certificates: bool) -> None:
        self.disks = dict(filter(None, map(_used, folders)))
        if certificates:
            self._ends = dict(filter(None, map(_end, self._files)))


def _used(folder: str) -> tuple[str, float] | None:
    """Of what a user may write: as `df` says it."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    used = disk.f_blocks - disk.f_bfree
    there = used + disk.f_bavail
    return (folder, used / there) if there else None


def _end(file: Path) -> tuple[str, float] | None:
    from cryptography import x509

    try:
        end = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
    return str(file), end.timestamp()
