"""Files that lie in the drop folder and that no event named.

`{images}/{drop}/{camera}/…`, one level per camera. Images arrive whole, by rename. A file
is picked up when it has lain unchanged for a while, so an event that names it comes first.
Files stay where they are: Fanfold deletes nothing that a user put there.
"""

from __future__ import annotations

import os
import stat
import time
from typing import NamedTuple

from lambdas.common.log import Throttle, get_logger
from lambdas.common.paths import PathError, open_folder_inside, split_inside, stat_inside
from lambdas.common.settings import SplitterSettings
from lambdas.splitter.intake import MAX_IMAGE_BYTES

SCAN_EVERY_S = 1.0
# Scanning takes at most a twentieth of the time, however full the folder is.
SCAN_SHARE = 20
SETTLE_S = 2.0
PER_SCAN = 1_000
_UNFINISHED = (".part", ".tmp", ".crdownload", "~")
COMPLAIN_EVERY_S = 60.0

_log = get_logger("dropfolder")


class Found(NamedTuple):
    camera: str
    path: str
    mark: str


class DropFolder:
    def __init__(self, settings: SplitterSettings, seen: dict[str, str]) -> None:
        self._root = settings.images_dir
        self._folder = settings.drop_folder.strip("/")
        self._cameras = settings.cameras
        self._seen = seen
        self._settling: dict[str, tuple[str, float]] = {}
        self._gone: list[str] = []
        self._next_scan = 0.0
        self._throttle = Throttle(COMPLAIN_EVERY_S)

    def mark(self, path: str) -> str | None:
        """What tells one content of a drop folder's file from the next; None: not one."""
        if not self._folder or not path.startswith(self._folder + "/"):
            return None
        try:
            status = stat_inside(self._root, path, MAX_IMAGE_BYTES)
        except PathError:
            return None
        return f"{status.st_size}:{status.st_mtime_ns}"

    def know(self, path: str, mark: str) -> None:
        self._seen[path] = mark

    def reload(self, seen: dict[str, str]) -> None:
        self._seen = seen

    def gone(self) -> list[str]:
        """Files known before that are no longer there."""
        gone, self._gone = self._gone, []
        return gone

    def scan(self, now: float, room: int) -> list[Found]:
        """New files, oldest first per camera, at most `room`."""
        if not self._folder or now < self._next_scan or room <= 0:
            return []
        began = time.perf_counter()
        listed = {camera: self._list(camera) for camera in self._cameras}
        present = [found for files in listed.values() for found in files or ()]
        ready = [found for found in present if self._settled(found, now)]
        self._forget(present, [camera for camera, files in listed.items() if files is None])
        took_s = time.perf_counter() - began
        self._next_scan = now + max(SCAN_EVERY_S, took_s * SCAN_SHARE)
        return ready[: min(room, PER_SCAN)]

    def _list(self, camera: str) -> list[Found] | None:
        """Files of one camera, oldest first; None: its folder cannot be read now."""
        relative = f"{self._folder}/{camera}"
        try:
            folder = open_folder_inside(self._root, relative)
        except (PathError, OSError) as error:
            missing = isinstance(error, PathError) and error.reason == "not_found"
            if not missing and self._throttle.due(camera) is not None:
                _log.warning("drop folder of %s is not read: %s", camera, error)
            return None
        try:
            return self._files(folder, camera, relative)
        except OSError as error:
            if self._throttle.due(camera) is not None:
                _log.warning("drop folder of %s is not read: %s", camera, error)
            return None
        finally:
            os.close(folder)

    def _files(self, folder: int, camera: str, relative: str) -> list[Found]:
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith(_UNFINISHED):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # taken away since it was listed
                    continue
                if not (stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_IMAGE_BYTES):
                    continue
                if _nameable(entry.name):
                    mark = f"{status.st_size}:{status.st_mtime_ns}"
                    file = Found(camera, f"{relative}/{entry.name}", mark)
                    found.append((status.st_mtime_ns, file))
        return [file for _, file in sorted(found)]

    def _settled(self, found: Found, now: float) -> bool:
        if self._seen.get(found.path) == found.mark:
            return False
        mark, since = self._settling.get(found.path, ("", now))
        if mark != found.mark:
            self._settling[found.path] = (found.mark, now)
            return False
        return now - since >= SETTLE_S

    def _forget(self, present: list[Found], unread: list[str]) -> None:
        """Files that are gone; of folders that could not be read, nothing is known."""
        here = {found.path for found in present}
        unknown = tuple(f"{self._folder}/{camera}/" for camera in unread)
        for path in [p for p in self._seen if p not in here and not p.startswith(unknown)]:
            del self._seen[path]
            self._gone.append(path)
        for path, (mark, _) in list(self._settling.items()):
            # A name whose content is new settles again, although it was seen before.
            if path not in here or self._seen.get(path) == mark:
                del self._settling[path]


def _nameable(name: str) -> bool:
    """A name that a JSON message can carry as it is."""
    try:
        name.encode()
        split_inside(name)
    except (UnicodeError, PathError):
        return False
    return name.isprintable()
