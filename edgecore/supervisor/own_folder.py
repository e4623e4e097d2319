"""The folder of a function that runs without a container as a user of its own.

The core's state is 0700, so code and models are linked where that user, and no other, reaches
them: hard links where the volume can, copies elsewhere. The folder is made whole beside and
renamed; the core, as root, writes into none that its function already has.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edgecore.supervisor.identity import Identity, IdentityError


def functions_folder(state: Path) -> Path:
    """Beside the state, on its volume: root's, to be passed through and not listed."""
    return state.with_name(f"{state.name}-functions")


def make_own_folder(parent: Path, name: str, identity: Identity, parts: Mapping[str, Path]) -> Path:
    """`parts`: path below the new folder → folder or file here. Raises IdentityError, OSError."""
    parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    parent.chmod(0o711)
    folder = parent / name
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    try:
        for relative, source in parts.items():
            _give(source, draft / relative, identity)
        for made, _, _ in os.walk(draft):
            os.chown(made, identity.uid, identity.gid)
            Path(made).chmod(0o700)
        _replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if not identity.can("x", str(folder)):
        raise IdentityError(
            f"uid {identity.uid} cannot reach {folder}: make the folders above it passable "
            "(chmod o+x), or pass --state elsewhere"
        )
    return folder


def _replace(draft: Path, folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        folder.rename(draft.with_name(f"{draft.name}-old"))
    draft.rename(folder)
    shutil.rmtree(draft.with_name(f"{draft.name}-old"), ignore_errors=True)


def _give(source: Path, target: Path, identity: Identity) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)

    def give(one: str, to: str) -> None:
        if Path(one).lstat().st_mode & stat.S_IROTH:
            with contextlib.suppress(OSError):
                os.link(one, to, follow_symlinks=False)
                return
        shutil.copy(one, to, follow_symlinks=False)
        os.chown(to, identity.uid, identity.gid, follow_symlinks=False)

    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=give)
    else:
        give(str(source.resolve()), str(target))
