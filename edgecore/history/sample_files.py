"""A second name for each image that is to be kept, until its bytes are in the history. Blocking.

The splitter gives up its own name of an image with its record. Where there can be no link the image
is read by the names that it had, and is left out if those are gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from contract.limits import IMAGE_BYTES
from contract.volumes import SAMPLES
from edgecore.disk.second_names import SecondNames


class LeftOutError(Exception):
    """The picture cannot be kept; the text is the reason that is counted."""


@dataclass(frozen=True)
class Hold:
    """``names``: of one image, ours first; ``sha256``: of what the model saw, "": not told."""

    names: tuple[str, ...]
    sha256: str


class SampleFiles:
    """Below ``images_dir``; names are relative to it. From any thread."""

    def __init__(self, images_dir: str) -> None:
        self._root = Path(images_dir)
        self._names = SecondNames(self._root, SAMPLES)
        self._ready = False
        self._beginning = threading.Lock()

    def is_at(self, images_dir: str) -> bool:
        return self._root == Path(images_dir)

    def hold(self, names: list[str], sha256: str) -> Hold:
        """``names``: as the image is called elsewhere, the most lasting last."""
        self._begin()
        for name in names:
            with contextlib.suppress(OSError, ValueError):
                own = self._names.link(self._inside(name))
                if own is not None:
                    return Hold((own,), sha256)
        return Hold(tuple(names), sha256)

    def read(self, hold: Hold) -> bytes:
        """Raises LeftOutError. Others write to the volume: what is not the image that the model
        saw is not kept."""
        problem = "its file was gone"
        for name in hold.names:
            try:
                content = self._content(name)
            except (OSError, ValueError):
                continue
            if not hold.sha256 or hashlib.sha256(content).hexdigest() == hold.sha256:
                return content
            problem = "its file was changed"
        raise LeftOutError(problem)

    def release(self, hold: Hold) -> None:
        for name in hold.names:
            self._names.release(name)

    def end(self) -> None:
        self._ready = False
        self._names.end()

    def _begin(self) -> None:
        with self._beginning:
            if not self._ready:
                self._names.begin()
                self._ready = True

    def _inside(self, name: str) -> Path:
        """Raises ValueError, OSError: no regular file below the volume."""
        if not name or name.startswith("/") or ".." in name.split("/"):
            raise ValueError(name)
        path = self._root / name
        if not path.parent.resolve().is_relative_to(self._root.resolve()):
            raise ValueError(name)
        return path

    def _content(self, name: str) -> bytes:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(self._inside(name), flags), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > IMAGE_BYTES:
                raise LeftOutError("it is too large")
            return file.read(IMAGE_BYTES + 1)
