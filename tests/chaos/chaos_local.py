"""What the local topics said while a plant ran: the ordered one, and the late one."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from chaos_core import CoreProcess
from chaos_site import NAME

from fanfold.sending.mqtt import Console


class LocalTopics:
    """Subscribes as the console and keeps every record, by topic, in order of arrival."""

    def __init__(self, core: CoreProcess) -> None:
        running = core.running()
        assert running is not None
        self.main: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self._console = Console(running, [f"{NAME}/results/+", f"{NAME}/late/+"])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> LocalTopics:
        self._console.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._console.__exit__(kind, error, trace)

    def _read(self) -> None:
        while not self._stopping.is_set():
            message = self._console.receive(0.1)
            if message is not None:
                kept = self.late if message.topic.startswith(f"{NAME}/late/") else self.main
                kept += message.json()["results"]

    def steps_back(self) -> int:
        """How often the ordered topic named a number again, or a lower one than before."""
        highest: dict[str, int] = {}
        count = 0
        for record in self.main:
            count += record["seq"] <= highest.get(record["stream"], 0)
            highest[record["stream"]] = max(record["seq"], highest.get(record["stream"], 0))
        return count

    def gaps(self) -> set[tuple[str, int]]:
        return {(r["stream"], r["seq"]) for r in self.main if r["status"] == "gap"}
