"""One worker process: a process group of its own, its output in its log, killed whole."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecore.core.descriptors import Reserve
from edgecore.supervisor.identity import Identity
from edgecore.supervisor.procstate import children, contained

PR_SET_PDEATHSIG = 1
MAX_LINE_BYTES = 65_536
_HELD = re.compile(r"^Rss(?:Anon|Shmem):\s*(\d+) kB", re.MULTILINE)
WANTED = ("restart", "idle", "swap")
"""Ends of a process that somebody asked for (``killed_for``): no failure, no back-off."""
_libc = ctypes.CDLL(None, use_errno=True)


def end_of(status: int) -> str:
    """A process's exit status in words."""
    return f"killed by signal {-status}" if status < 0 else f"exited with status {status}"


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Reaper:
    """The core's end of ``reaper.py``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", str(Path(__file__).with_name("reaper.py"))],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _send(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()

    def watch(self, group: int) -> None:
        self._send(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._send(f"-{group}\n")

    def close(self) -> None:
        """Ends it; what is still watched is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


@dataclass(slots=True)
class WorkerProcess:
    """A running worker and what the core knows of it; times are the loop's clock."""

    name: str
    process: asyncio.subprocess.Process
    started_at: float
    last_seen: float
    fetched: bool = False
    fetched_at: float = 0.0
    initialized: bool = False
    answered: int = 0
    killed_for: str = ""
    rss_kb: int = 0
    output: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal_group(self, number: int) -> None:
        """The whole group: what the function started goes with it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def kill(self, reason: str) -> None:
        self.killed_for = self.killed_for or reason
        self.signal_group(signal.SIGKILL)

    def _ask_to_end(self) -> None:
        """SIGTERM to the function. bubblewrap would end of it at once, and take along the
        function before it has tidied up: in a container only what runs inside is asked."""
        inside = contained(self.pid)
        for pid in inside:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
        if not inside:
            self.signal_group(signal.SIGTERM)

    async def stop(self, grace_s: float) -> None:
        """SIGTERM (and SIGCONT: a stopped process could not obey), grace, SIGKILL."""
        self.killed_for = self.killed_for or "stopped"
        self._ask_to_end()
        self.signal_group(signal.SIGCONT)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.process.wait(), grace_s)
        self.signal_group(signal.SIGKILL)
        await self.process.wait()


async def start(  # noqa: PLR0913  (keyword-only but the first two)
    name: str,
    command: Sequence[str],
    *,
    cwd: Path,
    environment: dict[str, str],
    write_log: Callable[[bytes], None],
    descriptors: Reserve,
    identity: Identity | None = None,
) -> WorkerProcess:
    """`identity` None: as the core itself. Raises OSError where the command cannot be started."""
    with descriptors.released():
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
            limit=MAX_LINE_BYTES,
            **_as_user(identity),
        )
    now = asyncio.get_running_loop().time()
    worker = WorkerProcess(name, process, started_at=now, last_seen=now)
    worker.output = asyncio.ensure_future(_pump(process, write_log))
    return worker


def _as_user(identity: Identity | None) -> dict[str, Any]:
    if identity is None:
        return {}
    return {"user": identity.uid, "group": identity.gid, "extra_groups": identity.groups}


async def _pump(process: asyncio.subprocess.Process, write_log: Callable[[bytes], None]) -> None:
    if process.stdout is None:
        return
    while data := await process.stdout.read(MAX_LINE_BYTES):
        write_log(data)


def held_kb(pid: int) -> int:
    """What a limit is for: pages of a process and its descendants that the kernel cannot take back.

    V1's was a cgroup's, which first gives back the pages of mapped files: of the 40 MB that Node.js
    has in memory, 34 are its program. 0 where it is gone.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        own = sum(int(found) for found in _HELD.findall(lines))
    except (OSError, ValueError):
        return 0
    return own + sum(held_kb(child) for child in children(pid))


def resident_kb(pid: int) -> int:
    """RSS of a process and its descendants; shared pages count in each. 0 where it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    own = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    return own + sum(resident_kb(child) for child in children(pid))
