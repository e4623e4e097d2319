"""A site's volumes on this machine: made private, and used by one core at a time.

Two cores on the same journals would fight over them; the lock says so in words before
anything starts. It is a `flock`, so it ends with its holder however that ends.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgecore.disk.one_holder import hold
from edgecore.supervisor.homes import BOOTSTRAP
from edgecore.supervisor.identity import AUTO, Identity, IdentityError, default_identity
from edgecore.supervisor.own_number import may_own
from fanfold.common.errors import INVALID, REFUSED, UserError

LOCK = ".fanfold.lock"


def volume_owner(
    function_user: str, needed: Iterable[Path], *, insecure: bool
) -> VolumeOwner | None:
    """Whose the volumes must be: the functions', where they are not this user's own.

    `needed`: programs and folders, made or not, that an owner must reach whom nobody named.
    """
    if os.geteuid() or insecure:
        return None
    try:
        named = default_identity(function_user)
    except IdentityError as error:
        raise UserError(str(error), INVALID) from error
    if named is not None:
        return VolumeOwner(named)
    reached = [BOOTSTRAP.parent, *map(_nearest, needed)]
    unasked = may_own(reached) if function_user == AUTO else None
    return VolumeOwner(unasked, only_new=True) if unasked else None


def _nearest(path: Path) -> Path:
    """What there is of it: it is made below."""
    return next((each for each in (path, *path.absolute().parents) if each.exists()), path)


@dataclass(frozen=True)
class VolumeOwner:
    """``only_new``: what a site has kept so far stays whose it is."""

    identity: Identity
    only_new: bool = False


def make_volume(path: Path, owner: VolumeOwner | None = None) -> None:
    """Volumes must exist before a function opens them; private, as images may be.

    What is this user's is handed to `owner` with all that is in it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"volume {path}: {error.strerror}. Create it, or change the site."
        ) from error
    if path.stat().st_uid != os.getuid() and os.getuid() != 0:
        raise UserError(f"volume {path} belongs to another user. Change `volumes` in the site.")
    if owner is None or path.stat().st_uid != os.getuid():
        return
    if owner.only_new and any(path.iterdir()):
        return
    for each in (*path.rglob("*"), path):
        os.chown(each, owner.identity.uid, owner.identity.gid, follow_symlinks=False)


def lock_volume(path: Path, *, inherit: bool = False) -> IO[bytes]:
    """Take the volume for as long as the returned file is open.

    `inherit`: a program that takes this process's place keeps it. Raises UserError
    (exit code 4) when a core has it.
    """
    said = f"volume {path} is in use by another core. Stop that core, or change `volumes`."
    lock = os.fdopen(os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    hold(lock, UserError(said, REFUSED))
    os.set_inheritable(lock.fileno(), inherit)
    return lock


def refuse_in_use(parent: Path) -> None:
    """Raise UserError where a running core has one of the volumes below `parent`."""
    for lock in parent.glob(f"*/{LOCK}"):
        lock_volume(lock.parent).close()


def clear(parent: Path) -> None:
    """Remove the demo's volumes; what is not there is no error."""
    shutil.rmtree(parent, ignore_errors=True)
