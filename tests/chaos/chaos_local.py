"""What the local topics said while a plant ran, the ordered one and the late one; what arrived in
the local cloud."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
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

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._console.__exit__()

    def _read(self) -> None:
        while not self._stopping.is_set():
            message = self._console.receive(0.1)
            if message is not None:
                kept = self.late if message.topic.startswith(f"{NAME}/late/") else self.main
                kept += message.json()["results"]

    def steps_back(self) -> int:
        """How often the ordered topic named a lower number than before, for the first time."""
        highest: dict[str, int] = {}
        count = 0
        for record in self._once():
            count += record["seq"] < highest.get(record["stream"], 0)
            highest[record["stream"]] = max(record["seq"], highest.get(record["stream"], 0))
        return count

    def repeated(self) -> int:
        """Records that the ordered topic had before, as it may after a kill of the aggregator: what
        was published in the step that no commit followed (docs/spec/ordering.md)."""
        return len(self.main) - len(list(self._once()))

    def _once(self) -> Iterator[dict[str, Any]]:
        """As a consumer takes them: what it has it ignores."""
        had: dict[tuple[str, int], dict[str, Any]] = {}
        for record in self.main:
            key = record["stream"], record["seq"]
            if had.setdefault(key, record) is record:
                yield record
            assert had[key] == record, f"two records under one number: {had[key]}, {record}"

    def gaps(self) -> set[tuple[str, int]]:
        return {(r["stream"], r["seq"]) for r in self.main if r["status"] == "gap"}


class LocalCloud:
    """The files that stand for the cloud, each line read once: who waits for the last of thousands
    of records looks ten times a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._records: list[dict[str, Any]] = []
        self._summaries: list[dict[str, Any]] = []

    def records(self) -> list[dict[str, Any]]:
        self._look()
        return list(self._records)

    def summaries(self) -> list[dict[str, Any]]:
        self._look()
        return list(self._summaries)

    def _look(self) -> None:
        for message in self._new():
            payload = message["payload"]
            if message["topic"].endswith("/results"):
                self._records += [
                    _named({**record, "epoch": payload["epoch"]}) for record in payload["results"]
                ]
            elif message["topic"].endswith("/jobs"):
                self._summaries.append(payload)

    def _new(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._read[path] = self._read.get(path, 0) + len(whole) + 1
                yield from map(json.loads, whole.splitlines())


def _named(record: dict[str, Any]) -> dict[str, Any]:
    """Files of the drop folder have no id of ours: they go by their name."""
    by_name = str(record.get("file", "")).startswith("drop/")
    return {**record, "id": record["file"]} if by_name else record
