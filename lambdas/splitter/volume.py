"""The images volume: is it there, is it the one that the journal speaks of, can it be written?

Work is held while it is away, nobody is blamed, and it goes on by itself.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any, Callable

from contract.volumes import INBOX
from lambdas.common.log import get_logger
from lambdas.common.marker import PATH, read_marker, write_marker
from lambdas.common.paths import PathError, make_folder_inside

LOOK_EVERY_S = 0.5

_log = get_logger("splitter")


class Volume:
    """`identity`: written in the volume and remembered in the journal, as is `apart`: that it is a
    file system of its own, so that a folder on that of its mount point is not it."""

    def __init__(  # noqa: PLR0913, PLR0917 - what is remembered of it, and where
        self,
        root: str,
        identity: str,
        remember: Callable[[str], None],
        apart: bool = False,
        remember_apart: Callable[[bool], Any] = bool,
        state_dir: str = "",
    ) -> None:
        """`state_dir`: in a container each folder is a mount, and only another folder of the
        device tells where the empty one below a mount point lies."""
        self._root = root
        self._remember = remember
        self._apart, self._remember_apart = apart, remember_apart
        self._others = [os.path.dirname(os.path.abspath(root)), *([state_dir] if state_dir else [])]
        self._place: tuple[int, int] | None = None
        self._look_at = float("-inf")
        self.identity = identity
        #: Why no file of it can be read; "": it is there.
        self.away = "not looked at yet"
        #: Why nothing new can be taken into custody; "": it can.
        self.refuses = ""

    @property
    def ready(self) -> bool:
        return not self.away

    def look(self, now: float, empty: bool) -> None:
        """Every `LOOK_EVERY_S`. `empty`: no image waits, so another volume may take its place."""
        if now - self._look_at >= LOOK_EVERY_S:
            self._look_at = now
            self.confirm(empty)

    def confirm(self, empty: bool = False) -> bool:
        """Look at once; whether it is there."""
        away = self._away(empty)
        if away and away != self.away:
            _log.error("images volume: %s; work waits", away)
        elif self.away and not away and self._place is not None:
            _log.info("images volume %s is at %s", self.identity or "(read-only)", self._root)
        self.away = away
        return not away

    def failed(self, error: OSError) -> None:
        """Something could not be taken into custody."""
        if not self.refuses:
            _log.error("images volume takes nothing new: %s", error)
        self.refuses = str(error)

    def took(self) -> None:
        if self.refuses:
            _log.info("images volume takes new images again")
        self.refuses = ""

    def describe(self) -> dict[str, Any]:
        """For the stats."""
        if self.away:
            return {"state": "away", "detail": self.away}
        if self.refuses:
            return {"state": "refuses", "detail": self.refuses}
        return {"state": "ready"}

    def _away(self, empty: bool) -> str:
        try:
            status = os.stat(self._root)
            if not stat.S_ISDIR(status.st_mode):
                return f"{self._root} is no folder"
            found = read_marker(self._root)
            away = self._of((status.st_dev, status.st_ino), found, empty)
            if not away:
                self._look_whether_writable()
        except OSError as error:
            return f"{self._root}: {error.strerror or error}"
        return away

    def _of(self, place: tuple[int, int], found: str, empty: bool) -> str:
        if place != self._place:
            self._place = None  # another disk may come back under the same numbers
        if found and found == self.identity:
            if self._place is None:
                self._note_apart(place)
            self._place = place
            return ""
        if self._place == place and not found and self.identity:
            self._mark(self.identity)  # somebody removed it; the folder is the same
            return ""
        if self.identity and not found and self._apart and not self._is_apart(place):
            return (
                f"nothing is mounted at {self._root}, where the images volume {self.identity} was. "
                f"Mount it, or another one; if images shall be in this folder from now on, write "
                f"{self.identity} into {self._root}/{PATH}"
            )
        if self.identity and not empty:
            return (
                f"another volume is mounted at {self._root}: it is {found or 'without a name'}, "
                f"the waiting images are on {self.identity}. Mount that one; if it is gone for "
                f"good, write {self.identity} into {self._root}/{PATH}, and they end as not_found"
            )
        self._adopt(place, found)
        return ""

    def _adopt(self, place: tuple[int, int], found: str) -> None:
        identity = found or os.urandom(8).hex()
        if not found and not self._mark(identity):
            self._place = place
            return  # read-only: nothing is taken into custody there
        self._remember(identity)
        self._note_apart(place)
        self.identity, self._place = identity, place

    def _is_apart(self, place: tuple[int, int]) -> bool:
        """Raises `OSError`."""
        return all(os.stat(other).st_dev != place[0] for other in self._others)

    def _note_apart(self, place: tuple[int, int]) -> None:
        apart = self._is_apart(place)
        if apart != self._apart:
            self._remember_apart(apart)
            self._apart = apart

    def _mark(self, identity: str) -> bool:
        try:
            write_marker(self._root, identity)
        except OSError as error:
            self.failed(error)
            return False
        return True

    def _look_whether_writable(self) -> None:
        if os.statvfs(self._root).f_flag & os.ST_RDONLY:
            self.failed(OSError(errno.EROFS, os.strerror(errno.EROFS)))
        elif self.refuses and self.identity and self._mark(self.identity) and self._has_inbox():
            self.took()

    def _has_inbox(self) -> bool:
        try:
            os.close(make_folder_inside(self._root, INBOX))
        except PathError as error:
            self.failed(OSError(errno.ELOOP, f"{INBOX} must be a folder: {error.detail}"))
        except OSError as error:
            self.failed(error)
        else:
            return True
        return False
