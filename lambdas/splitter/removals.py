"""Names in the inbox that nobody needs any more, until they are gone."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from itertools import chain, count
from typing import Iterable, Iterator, Mapping

from contract.volumes import LOST, kept_number
from lambdas.common.folders import Folders
from lambdas.common.log import Throttle, get_logger
from lambdas.common.paths import PathError, make_folder_inside, open_folder_inside
from lambdas.splitter.inbox import FOLDER

# Of images that came inside messages the newest stay for the dashboard.
KEPT_PER_STREAM = 16
TIDY_EVERY_S = 10.0

_log = get_logger("splitter")


class Removals:
    def __init__(self, images_dir: str) -> None:
        self._root = images_dir
        self._names: list[str] = []
        # Of those the ones that could not be removed: their numbers may be given again.
        self._refused: set[str] = set()
        self._shown: dict[str, deque[str]] = {}
        self._tidy_at = 0.0
        self._throttle = Throttle(60.0)
        self.kept_lost = 0

    def __len__(self) -> int:
        """Files that should be gone and are not yet."""
        return len(self._names)

    def add(self, relative: str) -> None:
        self._names.append(relative)

    def spare(self, group: Iterable[tuple[str, int]]) -> None:
        """Names that were made anew: they are of images in custody now."""
        if not self._refused:
            return
        again = self._refused.intersection(relative for relative, _ in group)
        if again:
            self._names = [name for name in self._names if name not in again]
            self._refused -= again

    def show(self, stream: str, relative: str) -> None:
        """It stays for the dashboard until newer ones of its stream have come."""
        shown = self._shown.setdefault(stream, deque())
        shown.append(relative)
        while len(shown) > KEPT_PER_STREAM:
            self._names.append(shown.popleft())

    def tidy(self, now: float) -> None:
        """Remove them; what cannot be removed now is tried again later. No group is open."""
        if self._names and now >= self._tidy_at:
            self.tidy_now()
            if self._names:
                self._tidy_at = now + TIDY_EVERY_S

    def tidy_now(self) -> None:
        names, self._names = self._names, []
        self._refused.clear()
        folders = Folders(self._root)
        try:
            for relative in names:
                folder, _, name = relative.rpartition("/")
                try:
                    os.unlink(name, dir_fd=folders.open(folder))
                except (PathError, FileNotFoundError, IsADirectoryError):
                    pass  # not there, or a link or a folder: nothing of ours
                except OSError as error:
                    self._put_back(relative, error)
        finally:
            folders.close()

    def _put_back(self, relative: str, error: OSError) -> None:
        self._names.append(relative)
        self._refused.add(relative)
        if self._throttle.due("tidy") is not None:
            _log.warning("%s is not removed, tried again later: %s", relative, error)

    def lost_up_to(
        self, wanted: set[str], lost: Mapping[str, int], limits: Mapping[str, int]
    ) -> dict[str, int]:
        """Per stream the highest number that a journal gave and lost, as far as the names of its
        images tell. `limits`: what is above is no number of ours. Raises `OSError`."""
        highest: dict[str, int] = {}
        for path in self._lying():
            stream, number, _ = kept_number(path)
            if path not in wanted and _is_lost(path, lost) and number <= limits.get(stream, 0):
                highest[stream] = max(number, highest.get(stream, 0))
        return highest

    def numbers(self, stream: str, first: int, upto: int, wanted: set[str]) -> list[int]:
        """Of the images of `stream` that lie here and nobody names, in order. Raises `OSError`."""
        candidates = (kept_number(path) for path in self._lying() if path not in wanted)
        return sorted(
            {number for name, number, _ in candidates if name == stream and first <= number < upto}
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

    def bring_back(self, wanted: set[str]) -> None:
        """What was kept while another journal used the volume, and this one names. Raises
        `OSError`. A worker looks whether it is the image that was accepted."""
        for relative in sorted(wanted):
            parent, _, name = relative.rpartition("/")
            folder, lost = _lost_place(relative)
            with contextlib.ExitStack() as opened:
                try:
                    source = open_folder_inside(self._root, folder)
                except PathError:
                    continue
                opened.callback(os.close, source)
                target = make_folder_inside(self._root, parent)
                opened.callback(os.close, target)
                if _is_there(source, lost) and not _is_there(target, name):
                    os.rename(lost, name, src_dir_fd=source, dst_dir_fd=target)
                    os.fsync(target)

    def _keep(self, relative: str) -> None:
        parent, _, name = relative.rpartition("/")
        folder, lost = _lost_place(relative)
        with contextlib.ExitStack() as opened:
            source = open_folder_inside(self._root, parent)
            opened.callback(os.close, source)
            target = make_folder_inside(self._root, folder)
            opened.callback(os.close, target)
            # Another lost journal may have given the same number.
            os.rename(name, _free_name(target, lost), src_dir_fd=source, dst_dir_fd=target)
            os.fsync(target)
        self.kept_lost += 1


def _lost_place(relative: str) -> tuple[str, str]:
    """Folder and name under which it is kept: one folder for a stream, for people to look into."""
    stream, number, suffix = kept_number(relative)
    return f"{LOST}/{stream}", f"{number:012d}{suffix}"


def _free_name(folder: int, name: str) -> str:
    """`7.png`, else `7-2.png`, `7-3.png`, ..."""
    number, dot, suffix = name.partition(".")
    others = (f"{number}-{n}{dot}{suffix}" for n in count(2))
    return next(one for one in chain((name,), others) if not _is_there(folder, one))


def _is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_lost(relative: str, lost: Mapping[str, int]) -> bool:
    stream, number, _ = kept_number(relative)
    return number >= lost.get(stream, 1)


def _raise(error: OSError) -> None:
    raise error
