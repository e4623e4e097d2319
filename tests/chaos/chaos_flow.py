"""Images that come while something else is done to the plant."""

from __future__ import annotations

import threading

from chaos_plant import Plant


class Flow:
    """Images all the time, from a thread of its own; leaving it stops them."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._plant.flow(self._stopping.is_set)
        except BaseException as error:
            self._failure = error

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        assert self._failure is None, self._failure


def versions(plant: Plant, stream: str) -> list[str]:
    """Model version of each result of the stream, in order, without repetition."""
    found: list[str] = []
    for record in sorted(plant.records(), key=lambda r: r["seq"]):
        if record["stream"] == stream and record["status"] == "ok":
            version = record["model"]["version"]
            if version not in found[-1:]:
                found.append(version)
    return found
