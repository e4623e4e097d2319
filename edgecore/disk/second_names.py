"""Second names (hard links) of images that the splitter is about to give up. Blocking.

A link costs no bytes. They lie in a folder of the core's own in the images volume, and are gone
when the core begins or ends with it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from pathlib import Path


class SecondNames:
    """In ``folder`` below ``root``; names are relative to ``root``. ``link`` from any thread."""

    def __init__(self, root: Path, folder: str) -> None:
        self._root, self._folder = root, folder
        self._numbers = itertools.count(1)

    def begin(self) -> None:
        """Nothing is left of an earlier core's."""
        self.end()
        with contextlib.suppress(OSError):
            (self._root / self._folder).mkdir(mode=0o755, parents=True)

    def link(self, source: Path, suffix: str = "") -> str | None:
        """The new name; None where there can be none."""
        own = f"{self._folder}/{next(self._numbers):09d}{suffix}"
        try:
            os.link(source, self._root / own, follow_symlinks=False)
        except (OSError, ValueError):
            return None
        return own

    def release(self, name: str) -> None:
        """Nothing, where it is no name of ours."""
        if name.startswith(f"{self._folder}/"):
            with contextlib.suppress(OSError):
                (self._root / name).unlink()

    def end(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            shutil.rmtree(self._root / self._folder, ignore_errors=True)
