"""Artifacts on the device: fetched with their digest, unpacked, readable and no more."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from devcloud.nucleus.recipe import Component, Folders, RecipeError

Fetch = Callable[[str], bytes]
"""An artifact's URI to its bytes."""


def fetch_artifacts(
    component: Component, folders: Folders, fetch: Fetch, user: int | None = None
) -> int:
    """The bytes that were downloaded; what is there already is not fetched again.

    `user`: uid and gid of the component's processes, who own its artifacts; None: this process's.
    """
    try:
        fetched = sum(
            _fetched(each, component.name, folders, fetch) for each in component.artifacts
        )
    except OSError as error:
        raise RecipeError(
            f"{component.name}: its artifacts cannot be kept in {folders.artifacts.parent} "
            f"({error.strerror}); free space there and deploy again"
        ) from error
    for_all = all(map(_is_for_all, component.artifacts))
    for folder in (folders.artifacts, folders.unpacked):
        if folder.is_dir():
            _protect(folder, user, for_all=for_all)
    return fetched


def _fetched(artifact: Mapping[str, Any], component: str, folders: Folders, fetch: Fetch) -> int:
    """Whole under its name or not there: a nucleus may be killed, and a disk be full, meanwhile."""
    target = folders.artifacts / str(artifact["Uri"]).rpartition("/")[2]
    if target.exists():
        return 0
    content = fetch(str(artifact["Uri"]))
    _refuse_other(artifact, content, component)
    folders.artifacts.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        part.write_bytes(content)
        if artifact.get("Unarchive") == "ZIP":
            into = folders.unpacked / target.stem
            shutil.rmtree(into, ignore_errors=True)
            with zipfile.ZipFile(part) as archive:
                archive.extractall(into)
        part.replace(target)
    except OSError:
        remove_artifacts(folders)
        raise
    return len(content)


def remove_artifacts(folders: Folders) -> None:
    """The nucleus deletes what no deployment names; the work folder stays."""
    for folder in (folders.artifacts, folders.unpacked):
        for path in [folder, *folder.rglob("*")] if folder.is_dir() else []:
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_other(artifact: Mapping[str, Any], content: bytes, component: str) -> None:
    wanted = artifact.get("Digest")
    if wanted and digest_of(content) != wanted:
        raise RecipeError(f"{component}: {artifact['Uri']} has another digest than its recipe")


def digest_of(content: bytes) -> str:
    """As AWS writes it into a recipe: SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _is_for_all(artifact: Mapping[str, Any]) -> bool:
    return (artifact.get("Permission") or {}).get("Read") == "ALL"


def _protect(folder: Path, user: int | None, *, for_all: bool) -> None:
    """The component's user owns its artifacts and may not write them: 0440 and 0550, with
    `Read: ALL` 0444 and 0555."""
    for path in [*folder.rglob("*"), folder]:
        if user is not None:
            os.chown(path, user, user)
        path.chmod((0o555 if for_all else 0o550) if path.is_dir() else 0o444 if for_all else 0o440)
