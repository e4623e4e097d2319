"""Images that came inside a message, kept as files until their record is committed.

They lie in `.fanfold/inbox/{stream}/` of the images volume, whole or not at all: written
under another name, synced, renamed. The last few of each stream stay for the dashboard.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import deque

FOLDER = ".fanfold/inbox"
KEPT_PER_STREAM = 16
_UNFINISHED = ".part"


class Inbox:
    def __init__(self, images_dir: str) -> None:
        self._root = images_dir
        self._unsynced: list[int] = []
        self._kept: dict[str, deque[str]] = {}

    def write(self, stream: str, event_id: str, suffix: str, content: bytes) -> str:
        """Write one image; returns its path below the volume. `sync` makes it durable."""
        name = hashlib.sha256(event_id.encode()).hexdigest()[:32] + suffix
        relative = f"{FOLDER}/{stream}/{name}"
        path = os.path.join(self._root, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path + _UNFINISHED, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        self._unsynced.append(descriptor)
        os.replace(path + _UNFINISHED, path)
        return relative

    def sync(self) -> None:
        """All files of this group reach the disk before the journal names them."""
        unsynced, self._unsynced = self._unsynced, []
        for descriptor in unsynced:
            os.fsync(descriptor)
            os.close(descriptor)

    def release(self, stream: str, relative: str) -> None:
        """The image at `relative` has its record; only the newest few are kept."""
        if not relative.startswith(FOLDER + "/"):
            return
        kept = self._kept.setdefault(stream, deque())
        kept.append(relative)
        while len(kept) > KEPT_PER_STREAM:
            self._remove(kept.popleft())

    def sweep(self, wanted: set[str]) -> None:
        """At start: what no accepted image names was never accepted, or is finished."""
        top = os.path.join(self._root, FOLDER)
        for folder, _, names in os.walk(top):
            for name in names:
                relative = os.path.relpath(os.path.join(folder, name), self._root)
                if relative not in wanted:
                    self._remove(relative)

    def _remove(self, relative: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self._root, relative))
