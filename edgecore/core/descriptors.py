"""File descriptors: as many as the system allows, some of them for nobody but the supervisor.

Who only connects must never keep a function from being started again: that takes pipes, a
program file, a folder. So the core raises its own limit, each listener has a cap, and a
few descriptors are held closed-handed until a process is to be started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Iterator

log = logging.getLogger(__name__)

HELD = 12
"""A start takes two pipes, ``/dev/null``, a log and, on newer Pythons, the process itself."""
MOST = 65_536
"""More than every cap together; a hard limit of a billion costs other programs time."""


def raise_limit() -> int:
    """The soft limit becomes the hard one; returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def cap(wanted: int) -> int:
    """How many connections of one kind, nobody of whom has proved himself, may be open: what
    is wanted, or a sixteenth of the descriptors where there are few."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(4, min(wanted, soft // 16))


def accepted_at_once() -> int:
    """The ``backlog`` to give to asyncio: it accepts so many connections before anybody can
    look at one, which is how a crowd takes every descriptor past any cap."""
    return cap(16)


def lengthen_queue(server: asyncio.AbstractServer, length: int = 256) -> None:
    """The kernel keeps so many that wait to be accepted, whatever asyncio was given."""
    for listener in getattr(server, "sockets", ()):
        with socket.socket(fileno=os.dup(listener.fileno())) as twin:
            twin.listen(length)


class Reserve:
    """Descriptors that are held, and free for the time of a start."""

    def __init__(self, count: int = HELD) -> None:
        self._count = count
        self._held: list[int] = []
        self.fill()

    def fill(self) -> None:
        """Take what is missing, as far as there is any."""
        with contextlib.suppress(OSError):
            while len(self._held) < self._count:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Within, the reserve is free."""
        self.close()
        try:
            yield
        finally:
            self.fill()

    def close(self) -> None:
        while self._held:
            os.close(self._held.pop())
