"""Images that come while something else is done to the plant."""

from __future__ import annotations

from beside import Beside
from chaos_plant import Plant


class Flow(Beside):
    """Images all the time; leaving it stops them."""

    def __init__(self, plant: Plant) -> None:
        super().__init__(plant.flow)


def versions(plant: Plant, stream: str, first: int = 0) -> list[str]:
    """Model version of each result of the stream, in order, without repetition; of the images
    from the `first` that the plant has sent."""
    found: list[str] = []
    wanted = set(list(plant.sent)[first:])
    for record in sorted(plant.records(), key=lambda r: r["seq"]):
        if record["stream"] == stream and record["status"] == "ok" and record["id"] in wanted:
            version = record["model"]["version"]
            if version not in found[-1:]:
                found.append(version)
    return found
