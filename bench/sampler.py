"""Peak memory of a process and all its children, sampled beside a run; and their end."""

from __future__ import annotations

import psutil

from bench.machine import pss_kb
from bench.sampling import Sampling


class Sampler(Sampling):
    """`with Sampler(pid)`: `peak_pss_kb` afterwards, children that came and went included."""

    every_s = 1.0  # reading PSS costs milliseconds per large process: seldom enough

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.peak_pss_kb = 0
        self._seen: dict[int, psutil.Process] = {}
        self._pid = pid

    def sample(self) -> None:
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
