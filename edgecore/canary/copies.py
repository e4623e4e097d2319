"""A second name for each image that a canary worker is to read. Blocking.

The splitter gives up its own name of an image with the old model's record; by then the copy may
not have been read. Where there can be no link the image is sent by the splitter's name, and is
left out if that is gone.
"""

from __future__ import annotations

from pathlib import Path

from contract.messages import Record
from contract.volumes import CANARY, INBOX
from edgecore.disk.second_names import SecondNames


class Copies:
    """Below ``images_dir``; names are relative to it."""

    def __init__(self, images_dir: str) -> None:
        self._root = Path(images_dir)
        self._names = SecondNames(self._root, CANARY)

    def begin(self) -> None:
        self._names.begin()

    def end(self) -> None:
        self._names.end()

    def link(self, items: list[Record]) -> list[Record]:
        """The items as a canary worker gets them."""
        return [self._linked(item) for item in items]

    def release(self, items: list[Record]) -> None:
        for item in items:
            self._names.release(str(item.get("kept", "")))

    def _linked(self, item: Record) -> Record:
        source = str(item.get("kept") or item["file"])
        if not source.startswith(f"{INBOX}/") or ".." in source.split("/"):
            return item
        own = self._names.link(self._root / source, Path(source).suffix)
        return item if own is None else {**item, "kept": own}
