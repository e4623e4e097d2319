"""A second name for each image that a canary worker is to read. Blocking.

The splitter gives up its own name of an image with the old model's record; by then the copy may
not have been read. A link costs no bytes; where there can be none the image is sent by the
splitter's name, and is left out if that is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from contract.messages import Record
from contract.volumes import CANARY, INBOX


class Copies:
    """Below ``images_dir``; names are relative to it."""

    def __init__(self, images_dir: str) -> None:
        self._root = Path(images_dir)
        self._count = 0

    def begin(self) -> None:
        """Nothing is left of an earlier core's."""
        self.end()
        with contextlib.suppress(OSError):
            (self._root / CANARY).mkdir(mode=0o755, parents=True)

    def link(self, items: list[Record]) -> list[Record]:
        """The items as a canary worker gets them."""
        return [self._linked(item) for item in items]

    def release(self, items: list[Record]) -> None:
        for item in items:
            if str(item.get("kept", "")).startswith(f"{CANARY}/"):
                with contextlib.suppress(OSError):
                    (self._root / item["kept"]).unlink()

    def end(self) -> None:
        shutil.rmtree(self._root / CANARY, ignore_errors=True)

    def _linked(self, item: Record) -> Record:
        self._count += 1
        source = str(item.get("kept") or item["file"])
        if not source.startswith(f"{INBOX}/") or ".." in source.split("/"):
            return item
        own = f"{CANARY}/{self._count:09d}{Path(source).suffix}"
        try:
            os.link(self._root / source, self._root / own, follow_symlinks=False)
        except (OSError, ValueError):
            return item
        return {**item, "kept": own}
