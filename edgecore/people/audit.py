"""Every act, who did it, from where, and what came of it: JSON Lines in ``audit/`` of the state.

What was refused has a file of its own, so that no flood of refusals pushes an act out.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgecore.disk.whole_file import give_to_owner_of
from edgecore.people.kept_file import locked

FOLDER = "audit"
ACTS, REFUSED = "acts", "refused"
COMMAND_LINE = "command line"
"""The address of who did it there."""
FILE_BYTES = 4 << 20
FILES = {ACTS: 8, REFUSED: 2}
"""How many of each there are: some 100,000 acts, and as many refusals as fit."""
_MAX_TEXT = 300


@dataclass(frozen=True, kw_only=True)
class Act:
    """``result``: ``done``, ``failed`` (allowed, and did not work) or ``refused``."""

    who: str
    role: str
    address: str
    what: str
    result: str
    status: int = 0
    said: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    t: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The object of docs/spec/access.md."""
        facts = {"v": 1, **asdict(self), "from": self.address}
        del facts["address"]
        return facts


class AuditLog:
    """Both the core and the command line append to it."""

    def __init__(self, state: Path, wall: Callable[[], float] = time.time) -> None:
        self.folder = state / FOLDER
        self._wall = wall

    def add(self, act: Act) -> dict[str, Any]:
        """Append, and for an act be on disk before it returns. What was written.

        Raises OSError or KeptFileError: it could not be noted.
        """
        facts = {**act.as_json(), "t": round(self._wall(), 3), "said": act.said[:_MAX_TEXT]}
        name = REFUSED if act.result == "refused" else ACTS
        line = json.dumps(facts, ensure_ascii=True).encode() + b"\n"
        with locked(self.folder):
            path = self._file(name)
            _rotate(path, len(line), FILES[name])
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                give_to_owner_of(self.folder, descriptor)
                torn = b"\n" if _ends_torn(descriptor) else b""
                os.write(descriptor, torn + line)
                if name == ACTS:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return facts

    def newest(self, count: int, of: Iterable[str] = FILES) -> list[dict[str, Any]]:
        """``ACTS``, ``REFUSED`` or both, the newest first; lines that are torn are left out."""
        found: list[dict[str, Any]] = []
        for name in of:
            lines: list[dict[str, Any]] = []
            for path in _files(self._file(name), FILES[name]):
                lines += reversed(list(_lines(path)))
                if len(lines) >= count:
                    break
            found += lines[:count]
        return sorted(found, key=lambda facts: -facts["t"])[:count]

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"


def _files(path: Path, count: int) -> list[Path]:
    """The current one and those before it."""
    return [path, *(path.with_name(f"{path.name}.{n}") for n in range(1, count))]


def _ends_torn(descriptor: int) -> bool:
    """A power cut left half a line: the next one must not become a part of it."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _rotate(path: Path, more: int, count: int) -> None:
    try:
        if path.stat().st_size + more <= FILE_BYTES:
            return
    except FileNotFoundError:
        return
    files = _files(path, count)
    for older, newer in zip(reversed(files), reversed(files[:-1]), strict=False):
        if newer.exists():
            newer.replace(older)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.splitlines():
        try:
            facts = json.loads(line)
        except ValueError:
            continue
        if isinstance(facts, dict) and isinstance(facts.get("t"), (int, float)):
            yield facts
