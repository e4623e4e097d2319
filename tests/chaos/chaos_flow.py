"""Images that come while something else is done to the plant."""

from __future__ import annotations

from beside import Beside
from chaos_plant import Plant


class Flow(Beside):
    """Images all the time; leaving it stops them."""

    def __init__(self, plant: Plant) -> None:
        super().__init__(plant.flow)


def versions(plant: Plant, stream: str) -> list[str]:
    """Model version of each result of the stream, in order, without repetition."""
    found: list[str] = []
    for record in sorted(plant.records(), key=lambda r: r["seq"]):
        if record["stream"] == stream and record["status"] == "ok":
            version = record["model"]["version"]
            if version not in found[-1:]:
                found.append(version)
    return found
