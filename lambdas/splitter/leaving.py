"""Names in the inbox that nobody needs any more, until they are gone."""

from __future__ import annotations

import os
from collections import deque

from lambdas.common.log import Throttle, get_logger
from lambdas.common.paths import PathError, open_folder_inside
from lambdas.splitter.inbox import FOLDER, unlink

# Of images that came inside messages the newest stay for the dashboard.
KEPT_PER_STREAM = 16
TIDY_EVERY_S = 10.0

_log = get_logger("splitter")


class Leaving:
    def __init__(self, images_dir: str) -> None:
        self._root = images_dir
        self._names: list[str] = []
        self._shown: dict[str, deque[str]] = {}
        self._tidy_at = 0.0
        self._throttle = Throttle(60.0)

    def __len__(self) -> int:
        """Files that should be gone and are not yet."""
        return len(self._names)

    def add(self, relative: str) -> None:
        self._names.append(relative)

    def show(self, stream: str, relative: str) -> None:
        """It stays for the dashboard until newer ones of its stream have come."""
        shown = self._shown.setdefault(stream, deque())
        shown.append(relative)
        while len(shown) > KEPT_PER_STREAM:
            self._names.append(shown.popleft())

    def tidy(self, now: float) -> None:
        """Remove them; what cannot be removed now is tried again later."""
        if self._names and now >= self._tidy_at:
            self.tidy_now()
            if self._names:
                self._tidy_at = now + TIDY_EVERY_S

    def tidy_now(self) -> None:
        names, self._names = self._names, []
        folders: dict[str, int] = {}
        try:
            for relative in names:
                self._remove(relative, folders)
        finally:
            for folder in folders.values():
                os.close(folder)

    def _remove(self, relative: str, folders: dict[str, int]) -> None:
        parent, _, name = relative.rpartition("/")
        try:
            if parent not in folders:
                folders[parent] = open_folder_inside(self._root, parent)
            unlink(folders[parent], name)
        except PathError:  # not there, or a link: nothing of ours is in it
            return
        except OSError as error:
            self._names.append(relative)
            if self._throttle.due("tidy") is not None:
                _log.warning("%s is not removed, tried again later: %s", relative, error)

    def sweep(self, wanted: set[str]) -> None:
        """What no accepted image names was never accepted, or is finished. Raises `OSError`."""
        try:
            top = open_folder_inside(self._root, FOLDER)
        except PathError:  # not there, or a link: nothing of ours is in it
            return
        try:
            # `fwalk` enters no symbolic link.
            for folder, _, names, _ in os.fwalk(".", dir_fd=top, onerror=_raise):
                paths = (os.path.normpath(f"{FOLDER}/{folder}/{name}") for name in names)
                self._names += [path for path in paths if path not in wanted]
        finally:
            os.close(top)


def _raise(error: OSError) -> None:
    raise error
