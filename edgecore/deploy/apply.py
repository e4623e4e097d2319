"""Switch to a staged group with one rename; go back the same way.

Only ``current`` decides what runs, and it changes by one ``rename``: a kill at any point
leaves exactly the old or exactly the new group. What else a kill leaves (staging folders,
unreferenced caches) the next ``apply`` removes.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgecore.disk import layout
from edgecore.disk.sync import sync_folder
from edgecore.sources.errors import SourceError

if TYPE_CHECKING:
    from edgecore.sources.load import LoadedGroup

log = logging.getLogger(__name__)


def _as_it_is(_folder: Path) -> None:
    pass


def apply(
    state: Path,
    group: LoadedGroup,
    *,
    uncommitted: bool = False,
    prepare: Callable[[Path], None] = _as_it_is,
) -> LoadedGroup:
    """Make ``group`` current; returns it with its final folder. Idempotent.

    ``uncommitted``: until ``commit``, a rollback leads past it to the last committed group.
    ``prepare`` is given the folder before it is current: a disk that takes no more changes nothing.
    """
    old = _previous_name(state) if is_uncommitted(state) else _current_name(state)
    before = _current_name(state)
    name = _place(state, group, uncommitted=uncommitted)
    folder = layout.deployments(state) / name
    if old is not None and name not in (old, before):
        layout.write_durably(folder / layout.PREVIOUS_FILE, old)
    prepare(folder)
    _point(state, name)
    _prune(state)
    return _read(state, name)


def current(state: Path) -> LoadedGroup | None:
    """The group that runs here, from disk alone; None before the first ``apply``."""
    name = _current_name(state)
    return None if name is None else _read(state, name)


def last_readable(state: Path) -> LoadedGroup | None:
    """As ``current``; None too where what is there cannot be read: nothing to compare with."""
    try:
        return current(state)
    except (SourceError, OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s: the last deployment cannot be read: %s", layout.deployments(state), error)
        return None


def previous(state: Path) -> LoadedGroup | None:
    """The group that was current before, None where there is none to go back to."""
    name = _previous_name(state)
    return None if name is None else _read(state, name)


def rollback(state: Path) -> LoadedGroup:
    """Make the previous group current. Raises ``LookupError`` where there is none."""
    name = _previous_name(state)
    if name is None:
        raise LookupError(f"{layout.deployments(state)}: no previous deployment to go back to")
    _point(state, name)
    return _read(state, name)


def is_uncommitted(state: Path) -> bool:
    """Whether the current group has not passed its health gate yet."""
    name = _current_name(state)
    return (
        name is not None and (layout.deployments(state) / name / layout.UNCOMMITTED_FILE).exists()
    )


def commit(state: Path) -> None:
    """The current group works: from now on it is one to go back to."""
    if (name := _current_name(state)) is not None:
        (layout.deployments(state) / name / layout.UNCOMMITTED_FILE).unlink(missing_ok=True)


def applied_at(state: Path) -> float | None:
    """When ``current`` was last switched, seconds since the epoch."""
    try:
        return layout.current_link(state).lstat().st_mtime
    except FileNotFoundError:
        return None


def _place(state: Path, group: LoadedGroup, *, uncommitted: bool) -> str:
    """Give the staged folder its name; a folder that is there already is the same group."""
    parent = layout.deployments(state)
    if group.folder.parent == parent and not group.folder.name.startswith(layout.STAGING_PREFIX):
        return group.folder.name
    name = layout.folder_name(group.deployment_id)
    staged = (group.folder / layout.GROUP_FILE).read_bytes()
    attempt = 1
    while (target := parent / name).exists():
        if (target / layout.GROUP_FILE).read_bytes() == staged:
            shutil.rmtree(group.folder, ignore_errors=True)
            return name
        attempt += 1
        name = f"{layout.folder_name(group.deployment_id)}~{attempt}"
    if uncommitted:
        layout.write_durably(group.folder / layout.UNCOMMITTED_FILE, "")
    group.folder.rename(target)
    sync_folder(parent)
    return name


def _point(state: Path, name: str) -> None:
    if name == _current_name(state):
        return
    link = layout.current_link(state)
    beside = link.with_name(".current.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(name)
    beside.replace(link)
    sync_folder(link.parent)


def _current_name(state: Path) -> str | None:
    try:
        name = str(layout.current_link(state).readlink())
    except FileNotFoundError:
        return None
    return name if (layout.deployments(state) / name).is_dir() else None


def _previous_name(state: Path) -> str | None:
    name = _current_name(state)
    if name is None:
        return None
    try:
        before = (layout.deployments(state) / name / layout.PREVIOUS_FILE).read_text().strip()
    except FileNotFoundError:
        return None
    exists = before != name and (layout.deployments(state) / before).is_dir()
    return before if before and exists else None


def _read(state: Path, name: str) -> LoadedGroup:
    from edgecore.sources.load import loaded

    folder = layout.deployments(state) / name
    return loaded(layout.read_document(folder), state=state, folder=folder)


def _prune(state: Path) -> None:
    """Remove all deployments but current and previous, and the caches only they needed."""
    keep = {name for name in (_current_name(state), _previous_name(state)) if name}
    parent = layout.deployments(state)
    needed = {
        path for name in keep for path in layout.cache_entries(layout.read_document(parent / name))
    }
    _discard_all_but(keep, parent)
    for kind in ("code", "models"):
        _discard_all_but(
            {Path(path).name for path in needed if Path(path).parent.name == kind},
            state / "cache" / kind,
        )


def _discard_all_but(keep: set[str], folder: Path) -> None:
    """Rename, then delete: a name without a dot always means a complete folder."""
    for entry in list(folder.iterdir()) if folder.is_dir() else ():
        if entry.name in keep or entry.is_symlink() or not entry.is_dir():
            continue
        torn_already = entry.name.startswith(".")
        doomed = entry if torn_already else entry.rename(folder / f".discarded-{entry.name}")
        shutil.rmtree(doomed, ignore_errors=True)
