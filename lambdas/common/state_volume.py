"""A part's own folder on the state volume: what it cannot take is held back, and said.

Said in the log when it begins and when it ends, and in every stats message meanwhile.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import Any, Callable

from contract import messages as m
from contract.durable.replaced import Replaced
from contract.durable.trouble import is_trouble
from lambdas.common.bus import Bus
from lambdas.common.log import Throttle, get_logger
from lambdas.common.loop import Message, Part

TRY_EVERY_S = 1.0
# A disk at its edge takes one thing and not the next.
SAID_EVERY_S = 10.0


class StateVolume:
    """`refuses`: why nothing new can be remembered there; "": it can."""

    def __init__(self, part: str, folder: str) -> None:
        self._log = get_logger(part)
        self._folder = folder
        self._throttle = Throttle(SAID_EVERY_S)
        self._replaced = Replaced(folder)
        self.refuses = ""

    def failed(self, error: Exception) -> None:
        if not self.refuses and self._throttle.due("failed") is not None:
            self._log.error("state volume, %s: %s; work waits", self._folder, error)
        self.refuses = str(error)

    def look(self, has_room: Callable[[], bool]) -> None:
        """Now and then: an idle part writes nothing, and would see neither the beginning nor the
        end. `has_room` tries it, where it was refused."""
        self.look_whether_replaced()
        if self.refuses:
            if has_room():
                self.took()
            return
        try:
            if os.statvfs(self._folder).f_flag & os.ST_RDONLY:
                self.failed(OSError(errno.EROFS, os.strerror(errno.EROFS), self._folder))
        except OSError as error:
            self.failed(error)

    def look_whether_replaced(self) -> None:
        """A backup put back beside the process: it goes on with the file that it has open."""
        for path in self._replaced.look():
            self._log.error(
                "%s was replaced or removed while it is in use: what is remembered from now on "
                "is lost at the next start. Put stores back while the core is stopped",
                path,
            )  # fmt: skip

    def took(self) -> None:
        if self.refuses and self._throttle.due("took") is not None:
            self._log.warning("state volume, %s: works again", self._folder)
        self.refuses = ""

    def describe(self) -> dict[str, Any]:
        """For the stats."""
        replaced = {"replaced": self._replaced.paths} if self._replaced.paths else {}
        if not self.refuses:
            return {"state": "ready", **replaced}
        return {"state": "refuses", "folder": self._folder, "detail": self.refuses, **replaced}


class OpensLater(Part):
    """A part whose state volume is in trouble at the start: it is made when that is over.

    It waits in the process: a part that ended would be in a crash loop, whose pauses are longer
    than the trouble. What comes meanwhile is not taken; whoever sent it sends it again.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[float], Part],
        volume: StateVolume,
        publish: Callable[..., Any],
    ) -> None:
        self._name = name
        self._make = make
        self._volume = volume
        self._publish = publish
        self._try_at = float("-inf")
        self._part: Part | None = None

    def step(self, messages: list[Message], now: float, wall: float) -> None:
        if self._part is None and now - self._try_at >= TRY_EVERY_S:
            self._try_at = now
            try:
                self._part = self._make(now)
            except (OSError, sqlite3.OperationalError) as error:
                self._volume.failed(error)
                self._publish(
                    {
                        "v": m.VERSION,
                        "part": self._name,
                        "t": round(wall, 3),
                        "state_volume": self._volume.describe(),
                    }
                )
                return
            self._volume.took()
        if self._part is not None:
            self._part.step(messages, now, wall)

    def rest(self) -> None:
        if self._part is not None:
            self._part.rest()

    def idle(self) -> bool:
        return self._part is not None and self._part.idle()

    def close(self) -> None:
        if self._part is not None:
            self._part.close()


def opened(  # noqa: PLR0913, PLR0917 - what a part stands on
    name: str, folder: str, make: Callable[[float], Part], now: float, bus: Bus, stats_topic: str
) -> Part:
    """The part, or one that becomes it once `folder` can be written. Raises what will not pass."""
    try:
        return make(now)
    except (OSError, sqlite3.OperationalError) as error:
        if not is_trouble(error, folder):
            raise
        volume = StateVolume(name, folder)
        volume.failed(error)

    def publish_stats(stats: dict[str, Any]) -> None:
        if stats_topic:
            bus.publish(stats_topic, m.encode(stats))

    return OpensLater(name, make, volume, publish_stats)
