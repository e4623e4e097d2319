"""What lies in the drop folder, each thing with the reason why it is left, if it is.

`{drop}/{camera}/…` and the sub-folders that the site's patterns name. No symbolic link is
followed. Nothing here remembers anything.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import stat
import unicodedata
from typing import Callable, Iterator, NamedTuple

from contract.image_kinds import BMP, HEAD_BYTES, PNG, WEBP, kind_of
from contract.messages import MAX_PATH_BYTES
from lambdas.common.paths import PathError, open_folder_inside
from lambdas.splitter.intake import MAX_IMAGE_BYTES
from lambdas.splitter.marks import mark_of

# What uploaders call a file until it is whole (WinSCP, browsers, wget, rsync, editors, …).
UNFINISHED = (
    ".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download",
    ".opdownload", ".upload", ".uploading", ".writing", ".incomplete", ".unfinished", ".lock",
    ".swp", "~",
)  # fmt: skip
#: In the site's patterns: a folder whose name is a date or a time, or a part of one.
DATED = "dated"
_DATED = re.compile(r"\d[\d ._:hHmMsSTZ-]*\Z")
DEEPEST = 8
# A backslash of the name's own that would read as one of ours, or stands before one.
_LIKE_AN_ESCAPE = re.compile("\\\\(?=[\\\\xnrt\x00-\x1f\x7f-\x9f\udc80-\udcff])")
# The end of an image is looked for in so much of its file.
TAIL_BYTES = 64 << 10
# A PNG's last chunk from its name on: no data, four bytes of CRC.
PNG_END_BYTES = 8

NOT_AN_IMAGE, INCOMPLETE, COMPLETE = "not_an_image", "incomplete", "complete"


class Candidate(NamedTuple):
    """`path` below the images volume, as Python names it; `why`: "" for what may be an image."""

    camera: str
    path: str
    mark: str
    mtime_ns: int
    why: str


def shown_path(path: str) -> str:
    """The name for records and logs: what is no UTF-8, or a control character, is escaped.

    No two files have the same.
    """
    if path.isascii() and path.isprintable() and len(path) <= MAX_PATH_BYTES and "\\" not in path:
        return path
    path = _LIKE_AN_ESCAPE.sub(r"\\\\", path)
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    text = "".join(map(_escaped, text))
    raw = text.encode()
    if len(raw) <= MAX_PATH_BYTES:
        return text
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return raw[: MAX_PATH_BYTES - 32].decode("utf-8", "ignore") + "…" + digest


def _escaped(character: str) -> str:
    control = unicodedata.category(character) == "Cc"
    return character.encode("unicode_escape").decode() if control else character


class Scan:
    def __init__(self, root: str, folder: str, cameras: tuple[str, ...], sub: tuple[str, ...]):
        """`sub`: patterns of the sub-folders that are looked into, at any depth."""
        self._root, self._folder = root, folder
        self._cameras, self._sub = frozenset(cameras), sub
        # Cameras that the last pass looked at: the others have no folder now.
        self._there: set[str] = set()

    def candidates(self, failed: Callable[[str, Exception], None]) -> Iterator[Candidate]:
        """Everything, camera by camera. `failed(folder, error)`: nothing is known of it now.

        A camera without a folder costs nothing: most of a thousand may have none.
        """
        there: set[str] = set()
        problems: list[Exception] = []

        def failed_above(folder: str, error: Exception) -> None:
            problems.append(error)
            failed(folder, error)

        yield from self._beside_cameras(there, failed_above)
        # A folder that cannot be listed may have others in it that can.
        listed = not problems or getattr(problems[0], "reason", "") == "not_found"
        self._there = there.intersection(self._cameras) if listed else set(self._cameras)
        for camera in sorted(self._there):
            yield from self._of(camera, f"{self._folder}/{camera}", 0, failed)

    def is_away(self, camera: str) -> bool:
        """Whether this camera has no folder at the moment."""
        return camera in self._cameras and camera not in self._there

    def _beside_cameras(
        self, there: set[str], failed: Callable[[str, Exception], None]
    ) -> Iterator[Candidate]:
        for entry in self._entries(self._folder, failed):
            there.add(entry.name)
            if entry.name in self._cameras or entry.name.startswith("."):
                continue
            folder = entry.is_dir(follow_symlinks=False)
            why = "unknown_camera" if folder else "no_camera"
            yield Candidate("", f"{self._folder}/{entry.name}", "", 0, why)

    def _of(
        self, camera: str, folder: str, depth: int, failed: Callable[[str, Exception], None]
    ) -> Iterator[Candidate]:
        for entry in self._entries(folder, failed):
            path = f"{folder}/{entry.name}"
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # taken away since it was listed
                continue
            if not stat.S_ISDIR(status.st_mode):
                mark, why = mark_of(status), _why(path, status)
                yield Candidate(camera, path, mark, status.st_mtime_ns, why)
            elif entry.name.startswith("."):
                continue
            elif depth < DEEPEST and self._looked_into(entry.name):
                yield from self._of(camera, path, depth + 1, failed)
            else:
                yield Candidate(camera, path, "", 0, "sub_folder")

    def _entries(
        self, folder: str, failed: Callable[[str, Exception], None]
    ) -> Iterator[os.DirEntry[str]]:
        try:
            descriptor = open_folder_inside(self._root, folder)
        except (PathError, OSError) as error:
            failed(folder, error)
            return
        try:
            with os.scandir(descriptor) as entries:
                yield from entries
        except OSError as error:
            failed(folder, error)
        finally:
            os.close(descriptor)

    def _looked_into(self, name: str) -> bool:
        return any(
            _DATED.match(name) if pattern == DATED else fnmatch.fnmatchcase(name, pattern)
            for pattern in self._sub
        )


def _why(path: str, status: os.stat_result) -> str:
    name = path.rpartition("/")[2]
    if not stat.S_ISREG(status.st_mode):
        return "not_a_file"
    if name.startswith("."):
        return "hidden"
    if name.lower().endswith(UNFINISHED):
        return "unfinished"
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        return "name_too_long"
    if status.st_size == 0:
        return "empty"
    return "too_large" if status.st_size > MAX_IMAGE_BYTES else ""


def content_of(descriptor: int, size: int) -> str:
    """Whether an open file is an image, and has its end. Raises `OSError`."""
    head = os.pread(descriptor, HEAD_BYTES, 0)
    kind = kind_of(head)
    if kind is None:
        return NOT_AN_IMAGE
    if kind is BMP:
        ended = size >= int.from_bytes(head[2:6], "little")
    elif kind is WEBP:
        ended = size >= int.from_bytes(head[4:8], "little") + 8
    else:
        start = max(0, size - TAIL_BYTES)
        tail = os.pread(descriptor, TAIL_BYTES, start)
        if kind is PNG:
            at = tail.rfind(b"IEND")
            ended = 0 <= at <= len(tail) - PNG_END_BYTES
        else:
            ended = tail.rfind(b"\xff\xd9") >= (_scan_at(tail) if start == 0 else 0)
    return COMPLETE if ended else INCOMPLETE


def _scan_at(data: bytes) -> int:
    """Where a JPEG's scan begins: the thumbnail in its head has an end of its own."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:
            return at
        if marker in {0x01, 0xFF} or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    # No scan is in sight: either the head is not whole, or this is no JPEG that we know.
    return at if at >= len(data) else 0
