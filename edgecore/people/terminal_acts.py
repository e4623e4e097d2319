"""What the command line did to a core that runs: read from the end of its audit log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecore.people.audit import ACTS, COMMAND_LINE, FOLDER

Line = tuple[str, str, str, str]
"""Kind, subject, text, who: one line of the timeline."""


class TerminalActs:
    """``new`` is asked again and again; what stood in the log at the start is no news."""

    def __init__(self, state: Path) -> None:
        self._path = state / FOLDER / f"{ACTS}.jsonl"
        self._inode, self._offset = _end_of(self._path)

    def new(self) -> list[Line]:
        """Since the last call, the oldest first. Raises OSError."""
        inode, end = _end_of(self._path)
        if (inode, end) == (self._inode, self._offset):
            return []
        content = b""
        if inode != self._inode:
            before = self._path.with_name(f"{self._path.name}.1")
            if _end_of(before)[0] == self._inode:
                content = _from(before, self._offset)
            self._inode, self._offset = inode, 0
        fresh = _from(self._path, self._offset)
        whole = fresh[: fresh.rfind(b"\n") + 1]  # half a line is read when it is whole
        self._offset += len(whole)
        return [line for act in _acts(content + whole) if (line := timeline_of(act))]


def timeline_of(act: dict[str, Any]) -> Line | None:
    """As the page's own acts read; what starts and stops a core tells the timeline itself."""
    if act.get("from") != COMMAND_LINE or act.get("result") != "done":
        return None
    what, who, detail = str(act.get("what", "")), str(act.get("who", "")), act.get("detail")
    if not isinstance(detail, dict):
        return None
    if what == "drain":
        workers = ", ".join(map(str, detail.get("workers") or ())) or "all workers"
        return "operator", workers, "drained" if detail.get("on") else "given work again", who
    if what.startswith("user "):
        role = f" as {detail['role']}" if detail.get("role") else ""
        return "access", str(detail.get("name", "")), f"{what}{role}, at the command line", who
    return None


def _end_of(path: Path) -> tuple[int, int]:
    """Inode and size in bytes; zeros where there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_size


def _from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset, os.SEEK_SET)
            return file.read()
    except FileNotFoundError:
        return b""


def _acts(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        try:
            act = json.loads(line)
        except ValueError:
            continue
        if isinstance(act, dict):
            yield act
