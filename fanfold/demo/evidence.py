"""What shows that a core holds no AWS keys: its processes' environments and its files are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

KEY_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@dataclass(frozen=True)
class Search:
    """`found`: where a key was; `looked_at`: how many environments and files were read."""

    found: tuple[str, ...]
    looked_at: Mapping[str, int]


def search(pid: int, folders: Iterable[Path], operators: Iterable[str]) -> Search:
    """For names of AWS keys in the environments of `pid` and all that it started, and for the
    operator's own key (`operators`: its parts) there and in every file below `folders`."""
    secrets = [each.encode() for each in operators]
    environments = {f"environment of process {p}": _environment(p) for p in process_tree(pid)}
    files = {str(path): path.read_bytes() for path in _files(folders)}
    found = [
        place
        for place, content in environments.items()
        if _names(content) & set(KEY_NAMES) or any(secret in content for secret in secrets)
    ]
    found += [place for place, held in files.items() if any(secret in held for secret in secrets)]
    looked_at = {"environments": len(environments), "files": len(files)}
    return Search(tuple(found), looked_at)


def process_tree(pid: int) -> list[int]:
    """`pid`, its children, theirs …; what ends meanwhile is left out."""
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                waiting += map(int, task.read_text().split())
    return found


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _names(environment: bytes) -> set[str]:
    return {entry.partition(b"=")[0].decode() for entry in environment.split(b"\0")}


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink())
