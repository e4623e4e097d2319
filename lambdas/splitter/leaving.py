"""Names in the inbox that nobody needs any more, until they are gone."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import Iterator, Mapping

from contract.volumes import LOST
from lambdas.common.log import Throttle, get_logger
from lambdas.common.paths import (
    PathError,
    make_folder_inside,
    open_folder_in,
    open_folder_inside,
    split_inside,
)
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
        self.kept_lost = 0

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
                folders[parent] = self._open(parent, folders)
            unlink(folders[parent], name)
        except PathError:  # not there, or a link: nothing of ours is in it
            return
        except OSError as error:
            self._names.append(relative)
            if self._throttle.due("tidy") is not None:
                _log.warning("%s is not removed, tried again later: %s", relative, error)

    def _open(self, parent: str, folders: dict[str, int]) -> int:
        """One walk to the inbox for all of them."""
        above, _, name = parent.rpartition("/")
        if above != FOLDER:
            return open_folder_inside(self._root, parent)
        if FOLDER not in folders:
            folders[FOLDER] = open_folder_inside(self._root, FOLDER)
        return open_folder_in(folders[FOLDER], split_inside(name)[0], parent)

    def lost_up_to(
        self, wanted: set[str], lost: Mapping[str, int], limits: Mapping[str, int]
    ) -> dict[str, int]:
        """Per stream the highest number that a journal gave and lost, as far as the names of its
        images tell. `limits`: what is above is no number of ours. Raises `OSError`."""
        highest: dict[str, int] = {}
        for path in self._lying():
            stream, number = _number(path)
            if path not in wanted and _is_lost(path, lost) and number <= limits.get(stream, 0):
                highest[stream] = max(number, highest.get(stream, 0))
        return highest

    def numbers(self, stream: str, first: int, upto: int, wanted: set[str]) -> list[int]:
        """Of the images of `stream` that lie here and nobody names, in order. Raises `OSError`."""
        lying = (_number(path) for path in self._lying() if path not in wanted)
        return sorted(
            {number for name, number in lying if name == stream and first <= number < upto}
        )

    def sweep(self, wanted: set[str], lost: Mapping[str, int] | None) -> None:
        """What no accepted image names was never accepted, or is finished. Raises `OSError`.

        But where the journal is behind: `lost` is per stream the first number (1 where it has
        none) of those that it may have accepted and does not know. Their images stay, in `LOST`.
        """
        for path in self._lying():
            if path in wanted:
                continue
            if lost is not None and _is_lost(path, lost):
                self._keep(path)
            else:
                self._names.append(path)
        if self.kept_lost:
            _log.error(
                "images whose journal was lost: %d are kept in %s/%s; those without a record end "
                "as journal_lost, unless the store is lost too. To have them processed move them "
                "into the drop folder",
                self.kept_lost, self._root, LOST,
            )  # fmt: skip

    def _lying(self) -> Iterator[str]:
        try:
            top = open_folder_inside(self._root, FOLDER)
        except PathError:  # not there, or a link: nothing of ours is in it
            return
        try:
            # `fwalk` enters no symbolic link.
            for folder, _, names, _ in os.fwalk(".", dir_fd=top, onerror=_raise):
                yield from (os.path.normpath(f"{FOLDER}/{folder}/{name}") for name in names)
        finally:
            os.close(top)

    def _keep(self, relative: str) -> None:
        parent, _, name = relative.rpartition("/")
        with contextlib.ExitStack() as opened:
            source = open_folder_inside(self._root, parent)
            opened.callback(os.close, source)
            target = make_folder_inside(self._root, LOST + parent[len(FOLDER) :])
            opened.callback(os.close, target)
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            os.fsync(target)
        self.kept_lost += 1


def _is_lost(relative: str, lost: Mapping[str, int]) -> bool:
    stream, number = _number(relative)
    return number >= lost.get(stream, 1)


def _number(relative: str) -> tuple[str, int]:
    """Stream and number of an image in custody; 0: it is none."""
    stream, _, name = relative[len(FOLDER) + 1 :].partition("/")
    number = name.partition(".")[0]
    return stream, int(number) if number.isascii() and number.isdigit() else 0


def _raise(error: OSError) -> None:
    raise error
