"""What was accepted is ours: every image has a name of its own here until its record is committed.

`.fanfold/inbox/{stream}/…` of the images volume is a hard link to the camera's file,
which no renaming, replacing or deleting by the camera can change; a copy where the volume
cannot link, where the site asks for copies, or where the camera is known to write into the
same file again; or the file of an image that came inside a message. A group is synced
before the journal names it and before anything is answered.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections import OrderedDict
from stat import S_ISREG
from typing import Any, NamedTuple, Sequence, Tuple

from contract.messages import dumps
from contract.volumes import kept_name
from lambdas.common.log import get_logger
from lambdas.common.paths import PathError, check_file, open_inside
from lambdas.splitter.backlog import Image
from lambdas.splitter.inbox import Inbox
from lambdas.splitter.intake import MAX_IMAGE_BYTES
from lambdas.splitter.marks import mark_of
from lambdas.splitter.removals import Removals

# Paths whose file is remembered, to know a camera that writes into the same file again.
REMEMBERED_PATHS = 4_096
COPY_ATTEMPTS = 3
FULL = frozenset((errno.ENOSPC, errno.EDQUOT))

_log = get_logger("splitter")


class Taken(NamedTuple):
    """One image in custody. `stat`: size, mtime_ns and inode that the worker checks, 0 where it
    does not; `digest`: SHA-256 where the bytes were read; `mark`: of the camera's file; `text`:
    `kept` and `stat` as JSON has them, "": they are still to be written so."""

    kept: str
    stat: tuple[int, int, int]
    digest: str
    mark: str
    text: str = ""


#: A path's file when it was last taken: its inode and mark; and that its camera writes into it.
_Seen = Tuple[int, str, bool]


class Custody:
    def __init__(self, images_dir: str, mode: str = "link", max_bytes: int = 0) -> None:
        """`mode`: "link" or "copy"; `max_bytes`: quota of what is held, 0: the disk's own."""
        self._root = images_dir
        self._copies = mode == "copy"
        self._max_bytes = max_bytes
        self.inbox = Inbox(images_dir)
        self.removals = Removals(images_dir)
        # Taken since the last commit, in order.
        self._group: list[tuple[str, int]] = []
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self.held_bytes = 0
        self.copied = 0

    # Taking

    def take_bytes(self, relative: str, content: bytes, digest: str) -> Taken:
        """An image that came inside a message. Raises `OSError`; nothing is left behind then."""
        self._check_quota(len(content))
        self.inbox.write(relative, content)
        return self._taken(relative, (len(content), 0, 0), digest, digest)

    def take_plain(self, stream: str, first: int, names: Sequence[str]) -> list[Taken | None]:
        """The first of a manifest's files, as far as each is linked without further ado; from the
        one that is not on they are for `take_file`, which says what is wrong.

        One loop of few calls: half of what custody costs was the way to its three system calls.
        """
        taken: list[Taken | None] = []
        if self._copies or dumps(stream) != f'"{stream}"':
            return taken
        linked = zip(names, self.inbox.link_each(stream, first, names))
        with contextlib.suppress(OSError, ValueError):
            for name, (kept, status) in linked:
                size, inode = status.st_size, status.st_ino
                if name in self._seen or not self._is_plain(status.st_mode, size):
                    break  # its link is made anew
                stat = (size, status.st_mtime_ns, inode)
                mark = f"{size}:{stat[1]}:{inode}"
                text = f'"kept":"{kept}","stat":[{size},{stat[1]},{inode}]'
                self._seen[name] = (inode, mark, False)
                self._group.append((kept, size))
                self.held_bytes += size
                taken.append(Taken(kept, stat, "", mark, text))
        if len(taken) < len(names):
            # Its file may be gone before it is linked anew, and nobody would know of this name.
            with contextlib.suppress(OSError):
                self.inbox.drop(kept_name(stream, first + len(taken)))
        while len(self._seen) > REMEMBERED_PATHS:
            self._seen.popitem(last=False)
        return taken

    def _is_plain(self, mode: int, size: int) -> bool:
        fits = not self._max_bytes or self.held_bytes + size <= self._max_bytes
        return fits and size <= MAX_IMAGE_BYTES and S_ISREG(mode)

    def take_file(self, stream: str, seq: int, name: str) -> Taken:
        """A file of the camera's. Raises `PathError` for its own fault, `OSError` for the
        machine's; nothing is left behind then."""
        relative = kept_name(stream, seq)
        linked = None if self._copies else self._link(relative, name)
        if linked is None:
            return self._copy(relative, name)
        status, mark = linked
        self._remember(name, status, mark)
        stat = (status.st_size, status.st_mtime_ns, status.st_ino)
        return self._taken(relative, stat, "", mark)

    def _link(self, relative: str, name: str) -> tuple[os.stat_result, str] | None:
        """Link it and look at what was linked, and its mark; None: it is to be copied."""
        status = self.inbox.link(name, relative)
        if status is None:
            return None
        try:
            check_file(status, name, MAX_IMAGE_BYTES)
            mark = mark_of(status)
            known = self._seen.get(name)
            if known is not None and _written_into(known, status, mark):
                self.inbox.remove(relative)
                return None
            self._check_quota(status.st_size)
        except PathError:
            self.inbox.remove(relative)
            # A symbolic link is linked as it is; the walk says so in its own words.
            os.close(open_inside(self._root, name, MAX_IMAGE_BYTES)[0])
            raise
        except OSError:
            self.inbox.remove(relative)
            raise
        return status, mark

    def _copy(self, relative: str, name: str) -> Taken:
        for _ in range(COPY_ATTEMPTS):
            descriptor, before = open_inside(self._root, name, MAX_IMAGE_BYTES)
            with open(descriptor, "rb", buffering=0) as file:
                self._check_quota(before.st_size)
                content = _read_all(file)
                after = os.fstat(descriptor)
            mark = mark_of(before)
            if mark == mark_of(after) and len(content) == after.st_size:
                self.inbox.write(relative, content)
                self._remember(name, before, mark)
                self.copied += 1
                digest = hashlib.sha256(content).hexdigest()
                return self._taken(relative, (len(content), 0, 0), digest, mark)
        raise OSError(errno.EBUSY, f"{name!r:.200} is being written")

    def _taken(self, relative: str, stat: tuple[int, int, int], digest: str, mark: str) -> Taken:
        self._group.append((relative, stat[0]))
        self.held_bytes += stat[0]
        return Taken(relative, stat, digest, mark)

    def _remember(self, name: str, status: os.stat_result, mark: str) -> None:
        known = self._seen.pop(name, None)
        rewritten = known is not None and _written_into(known, status, mark)
        self._seen[name] = (status.st_ino, mark, rewritten)
        if len(self._seen) > REMEMBERED_PATHS:
            self._seen.popitem(last=False)

    def _check_quota(self, size: int) -> None:
        if self._max_bytes and self.held_bytes + size > self._max_bytes:
            held = f"custody holds {self.held_bytes} of {self._max_bytes} bytes"
            raise OSError(errno.EDQUOT, held)

    # A group

    def sync(self) -> None:
        """This group's files and their names reach the disk: one sync for all of them."""
        if not self._group:
            return
        try:
            self.inbox.sync([relative for relative, _ in self._group])
        except OSError as error:
            if error.errno not in FULL and not self._copies:
                # The kernel tells of a failed write once; the next sync of the same pages would
                # succeed and mean nothing. A copy has pages of its own.
                self._copies = True
                _log.error("custody by copies from now on, a sync failed: %s", error)
            raise

    def group_size(self) -> int:
        return len(self._group)

    def keep(self) -> None:
        """The journal names this group's files."""
        self.removals.spare(self._group)
        self._group.clear()
        self.inbox.close()

    def discard(self, since: int = 0) -> None:
        """The journal does not take this group, from its n-th on: nothing may stay behind."""
        dropped, self._group = self._group[since:], self._group[:since]
        self.removals.spare(self._group)
        for relative, size in dropped:
            self.held_bytes -= size
            self.removals.add(relative)
        self.removals.tidy_now()
        if not self._group:
            self.inbox.close()

    # Letting go

    def holds(self, image: Image) -> None:
        """At start: an image of the journal's."""
        self.held_bytes += image.size

    def release(self, image: Image) -> None:
        """The image has its record. Its file goes once that is in the journal."""
        self.held_bytes = max(0, self.held_bytes - image.size)
        if image.inside:
            self.removals.show(image.stream, image.own)
        elif image.own:
            self.removals.add(image.own)

    def describe(self) -> dict[str, int]:
        """For the stats."""
        return {
            "bytes": self.held_bytes,
            "copied": self.copied,
            "untidy": len(self.removals),
            "kept_lost": self.removals.kept_lost,
        }


def _written_into(known: _Seen, status: os.stat_result, mark: str) -> bool:
    """The same file under this name again, with other content, now or before: its camera does
    not replace it, and a link would share whatever is written next."""
    inode, known_mark, rewritten = known
    return inode == status.st_ino and (rewritten or known_mark != mark)


def _read_all(file: Any) -> bytes:
    content = b""
    while len(content) <= MAX_IMAGE_BYTES:
        more = file.read(MAX_IMAGE_BYTES)
        if not more:
            break
        content += more
    return content
