"""The unprivileged user of functions where the core is root, nobody named one, and the machine
has no ``ggc_user``: a number that stands for no account. It is given where it can live: what the
group keeps must be its own already, or the group keep nothing, and it must reach what it runs.
"""

from __future__ import annotations

import pwd
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecore.core.group import Function, LocalVolume, Resource
from edgecore.supervisor.identity import Identity
from edgecore.supervisor.isolation import attached

OWN_UID = 61100
"""Below 65536, which a container's user namespace maps; systemd and distributions use none of
60706–61183 (systemd, UIDS-GIDS.md)."""
KEPT = ("FANFOLD_STATE_DIR", "FANFOLD_IMAGES_DIR")
_USB_CAMERA = re.compile(r"v4l2://(/[^\s\"',?]+)")


@dataclass(frozen=True)
class OwnNumber:
    """``identity`` None: it cannot be had, and ``why`` says what is in the way."""

    identity: Identity | None = None
    why: str = ""


def own_number(
    functions: Iterable[Function], resources: Sequence[Resource], needed: Iterable[Path]
) -> OwnNumber:
    """For the functions of one group together: half of them as root would lock the others out.

    `needed`: programs and folders of the host that it must pass. A group whose folders are the
    number's gets it whatever else is in the way: root's files in there would outlast the reason.
    """
    functions = tuple(functions)
    cameras = sorted(set(_usb_cameras(functions)))
    identity = Identity(OWN_UID, OWN_UID, groups=tuple(sorted(set(_groups(cameras)))))
    if account := _account(OWN_UID):
        return OwnNumber(None, f"uid {OWN_UID} is {account}'s here")
    kept = sorted(set(_kept(functions, resources)))
    foreign = [path for path in kept if _owner(path) != OWN_UID]
    wanted = [("x", path) for path in needed] + [("r", path) for path in cameras]
    closed = next((path for letter, path in wanted if not identity.can(letter, str(path))), None)
    if closed is not None and (foreign or not kept):
        return OwnNumber(None, f"uid {OWN_UID} cannot reach {closed}")
    if foreign:
        return OwnNumber(None, _not_its_own(foreign, kept))
    return OwnNumber(identity)


def may_own(programs: Iterable[Path]) -> Identity | None:
    """Whose new volumes are: the number's, where it can run these."""
    return own_number((), (), programs).identity


def _account(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None


def _kept(functions: Iterable[Function], resources: Sequence[Resource]) -> Iterator[Path]:
    for function in functions:
        yield from (Path(v) for name in KEPT if (v := function.environment.get(name)))
        for resource, writable in attached(function, resources):
            if writable and isinstance(resource, LocalVolume):
                yield Path(resource.source_path)


def _not_its_own(foreign: Sequence[Path], kept: Sequence[Path]) -> str:
    owner = _owner(foreign[0])
    whose = "not there" if owner is None else f"uid {owner}'s"
    folders = " ".join(shlex.quote(str(path)) for path in kept)
    return (
        f"{foreign[0]} is {whose}, not uid {OWN_UID}'s (stop the core, "
        f"chown -R {OWN_UID}:{OWN_UID} {folders}, and functions are that user)"
    )


def _usb_cameras(functions: Iterable[Function]) -> Iterator[Path]:
    for function in functions:
        for value in function.environment.values():
            yield from (p for each in _USB_CAMERA.findall(value) if (p := Path(each)).exists())


def _groups(cameras: Iterable[Path]) -> Iterator[int]:
    """Their owners', `video` mostly: a camera is there to be read by the function that it feeds."""
    yield from (gid for path in cameras if (gid := path.stat().st_gid))
