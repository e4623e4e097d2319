"""Files that lie in the drop folder and that no event named.

A file is picked up when it has lain unchanged for a moment and has its end; without one it
is waited for, within bounds. Files stay where they are: Fanfold deletes nothing that a user
put there. What is left is counted by reason, and each name is said once.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from typing import Any, NamedTuple

from lambdas.common.log import Throttle, get_logger
from lambdas.common.paths import PathError, open_inside, stat_inside
from lambdas.common.settings import SplitterSettings
from lambdas.splitter.dropscan import (
    INCOMPLETE,
    NOT_AN_IMAGE,
    Candidate,
    Scan,
    content_of,
    shown_path,
)
from lambdas.splitter.intake import MAX_IMAGE_BYTES
from lambdas.splitter.journal import Journal
from lambdas.splitter.marks import mark_of

# A camera that writes its file again each second is seen between two writings.
SCAN_EVERY_S = 0.2
SETTLE_S = 0.4
# Scanning takes at most a twentieth of the time, however full the folder is.
SCAN_SHARE = 20
PER_SCAN = 1_000
COMPLAIN_EVERY_S = 60.0
# What is left is named after it has lain so long: uploads pass through many a state.
NAME_AFTER_S = 5.0
NAMES_SHOWN = 20
NAMES_SAID = 10_000
# Where nothing is wrong, nothing is said.
_QUIET = frozenset(("hidden", "unfinished"))

_log = get_logger("dropfolder")


class Found(NamedTuple):
    camera: str
    path: str
    mark: str

    @property
    def event_id(self) -> str:
        digest = hashlib.sha256(os.fsencode(f"{self.path}\0{self.mark}\0"))
        return "file:" + digest.hexdigest()[:32]


class _Settling:
    """One file that may become an image: since when it has its `mark`, what its content is."""

    __slots__ = ("content", "mark", "since")

    def __init__(self, mark: str, since: float) -> None:
        self.mark, self.since, self.content = mark, since, ""


class DropFolder:
    def __init__(self, settings: SplitterSettings, seen: dict[str, str]) -> None:
        self._root = settings.images_dir
        self._folder = settings.drop_folder.strip("/")
        self._scan = Scan(self._root, self._folder, settings.cameras, settings.drop_subfolders)
        self._wait_s = settings.drop_wait_s
        self._seen = seen
        self._settling: dict[str, _Settling] = {}
        self._gone: list[str] = []
        self._next_scan = 0.0
        self._complaints = Throttle(COMPLAIN_EVERY_S)
        self._left: Counter[str] = Counter()
        self._left_since: dict[str, float] = {}
        self._named: dict[str, str] = {}
        self._waiting = 0

    def mark(self, camera: str, path: str) -> str | None:
        """What tells one content of a file in the camera's drop folder from the next; None: it
        is not one."""
        if not self._is_of(camera, path):
            return None
        try:
            return mark_of(stat_inside(self._root, path, MAX_IMAGE_BYTES))
        except PathError:
            return None

    def taken(self, path: str, mark: str, journal: Journal) -> int | None:
        """The number under which the file was taken, if it has not changed since."""
        return journal.find_file(shown_path(path), mark)

    def picked(self, camera: str, path: str, mark: str, seq: int, journal: Journal) -> None:
        """The file is an accepted image, once the journal commits; others are none of ours."""
        if self._is_of(camera, path):
            key = shown_path(path)
            journal.stage_file(key, mark, seq)
            self._seen[key] = mark

    def _is_of(self, camera: str, path: str) -> bool:
        """Another camera may name the file as well: it is that one's image then, too."""
        return bool(self._folder) and path.startswith(f"{self._folder}/{camera}/")

    def put_off(self, found: Found) -> None:
        """It could not be taken now: it settles anew."""
        self._settling.pop(shown_path(found.path), None)

    def reload(self, seen: dict[str, str]) -> None:
        self._seen = seen

    def gone(self) -> list[str]:
        """Files known before that are no longer there."""
        gone, self._gone = self._gone, []
        return gone

    def describe(self) -> dict[str, Any]:
        """For the stats: what lies there and is no image of ours, by reason."""
        names = dict(list(self._named.items())[-NAMES_SHOWN:])
        return {"left": dict(self._left), "waiting": self._waiting, "names": names}

    def scan(self, now: float, room: int) -> list[Found]:
        """New files, oldest first per camera, at most `room`."""
        if not self._folder or now < self._next_scan or room <= 0:
            return []
        began = time.perf_counter()
        unread: list[str] = []
        candidates = list(
            self._scan.candidates(lambda folder, error: self._failed(folder, error, unread))
        )
        left: Counter[str] = Counter()
        here: set[str] = set()
        ready: list[tuple[str, int, Found]] = []
        waiting = 0
        for one in candidates:
            key = shown_path(one.path)
            here.add(key)
            why = one.why or self._judge(one, key, now)
            if why == "ready":
                ready.append((one.camera, one.mtime_ns, Found(one.camera, one.path, one.mark)))
            elif why == "waits":
                waiting += 1
            elif why:
                left[why] += 1
                self._leave(key, why, now)
        self._left, self._waiting = left, waiting
        self._forget(here, unread)
        took_s = time.perf_counter() - began
        self._next_scan = now + max(SCAN_EVERY_S, took_s * SCAN_SHARE)
        return [found for _, _, found in sorted(ready)][: min(room, PER_SCAN)]

    def _failed(self, folder: str, error: Exception, unread: list[str]) -> None:
        unread.append(folder)
        missing = isinstance(error, PathError) and error.reason == "not_found"
        if not missing and self._complaints.due(folder) is not None:
            _log.warning("drop folder %s is not read: %s", shown_path(folder), error)

    def _judge(self, one: Candidate, key: str, now: float) -> str:
        """Either "ready", "waits", why it is left, or "" for what has been taken."""
        if same_mark(self._seen.get(key, ""), one.mark):
            return ""
        settling = self._settling.get(key)
        if settling is None or settling.mark != one.mark:
            self._settling[key] = _Settling(one.mark, now)
            return "waits"
        if now - settling.since < SETTLE_S:
            return "waits"
        if not settling.content:
            settling.content = self._content(one)
        if settling.content == NOT_AN_IMAGE:
            return NOT_AN_IMAGE
        if settling.content == INCOMPLETE and now - settling.since < self._wait_s:
            return "waits"
        return settling.content if settling.content == "unreadable" else "ready"

    def _content(self, one: Candidate) -> str:
        try:
            descriptor, status = open_inside(self._root, one.path, MAX_IMAGE_BYTES)
        except PathError as error:
            return "" if error.reason == "not_found" else "unreadable"
        except OSError:
            return ""
        try:
            return content_of(descriptor, status.st_size)
        except OSError:
            return ""
        finally:
            os.close(descriptor)

    def _leave(self, key: str, why: str, now: float) -> None:
        since = self._left_since.setdefault(key, now)
        if why in _QUIET or now - since < NAME_AFTER_S or self._named.get(key) == why:
            return
        if len(self._named) < NAMES_SAID:
            self._named[key] = why
            _log.warning("left in the drop folder: %s (%s)", key, why)

    def _forget(self, here: set[str], unread: list[str]) -> None:
        """Files that are gone; of folders that are away or cannot be read, nothing is known."""
        unknown = tuple(f"{shown_path(folder)}/" for folder in unread)
        camera_at = len(shown_path(self._folder)) + 1
        for path in [p for p in self._seen if p not in here]:
            camera = path[camera_at:].partition("/")[0]
            if not (path.startswith(unknown) or self._scan.is_away(camera)):
                del self._seen[path]
                self._gone.append(path)
        for key, settling in list(self._settling.items()):
            # A name whose content is new settles again, although it was seen before.
            if key not in here or same_mark(self._seen.get(key, ""), settling.mark):
                del self._settling[key]
        for known in (self._left_since, self._named):
            for key in [k for k in known if k not in here]:
                del known[key]


def same_mark(old: str, new: str) -> bool:
    """Whether a file is the one that was marked; marks of version 0.1 have no inode."""
    return old == new or (old.count(":") == 1 and new.startswith(old + ":"))
