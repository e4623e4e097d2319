"""A folder of code as content: its hash, and a copy that appears whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgecore.disk.archive import LAMBDA_LIMITS
from edgecore.disk.sync import begin_sync, sync_files, sync_folder, sync_folders
from edgecore.sources.errors import SourceError

_LEFT_OUT = ("__pycache__",)


def tree_digest(folder: Path) -> str:
    """SHA-256 over names, executable bits and contents; times do not count."""
    hasher = hashlib.sha256()
    total_bytes = 0
    for path in _files(folder):
        content = path.read_bytes()
        total_bytes += len(content)
        if total_bytes > LAMBDA_LIMITS.max_total_bytes:
            raise SourceError(
                f"{folder}: contains more than {LAMBDA_LIMITS.max_total_bytes} bytes of code,"
                " AWS Lambda's limit; point Code at the function's own folder"
            )
        executable = os.access(path, os.X_OK)
        name = path.relative_to(folder).as_posix()
        header = f"{len(name)}:{name}:{int(executable)}:{len(content)}:"
        hasher.update(header.encode() + content)
    return hasher.hexdigest()


def copy_tree(folder: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    copies = []
    try:
        for path in _files(folder):
            copy = partial / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
            with copy.open("rb") as written:
                begin_sync(written.fileno())
            copies.append(copy)
        partial.chmod(0o755)
        sync_files(copies)
        sync_folders(partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_folder(target.parent)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not set(path.relative_to(folder).parts) & set(_LEFT_OUT):
            yield path
