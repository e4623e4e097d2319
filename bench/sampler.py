"""Peak memory of a process and all its children, sampled beside a run; and their end."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

from bench.machine import pss_kb

#: Reading PSS costs milliseconds per large process: seldom enough not to be noticed.
EVERY_S = 1.0


class Sampler:
    """`with Sampler(pid)`: `peak_pss_kb` afterwards, children that came and went included."""

    def __init__(self, pid: int) -> None:
        self.peak_pss_kb = 0
        self._seen: dict[int, psutil.Process] = {}
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._over.wait(EVERY_S):
            self._look()
            self.peak_pss_kb = max(self.peak_pss_kb, pss_kb(list(self._seen)))

    def _look(self) -> None:
        try:
            root = psutil.Process(self._pid)
            for process in (root, *root.children(recursive=True)):
                self._seen.setdefault(process.pid, process)
        except psutil.NoSuchProcess:
            return

    def end_tree(self) -> None:
        """Kill what a server left running: it would disturb the next measurement."""
        self._look()
        for process in self._seen.values():
            # psutil compares creation times, so a number that was given away again is spared.
            if process.is_running():
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
