"""As whom a function runs: its `RunAs`, Greengrass's own user, or the core's.

V1 runs a function as ``ggc_user`` and ``ggc_group`` unless the function or the group says
otherwise (developer guide, "Set the default access identity"); uid or gid 0 needs a permission.
"""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from edgecore.core.group import Function

DEFAULT_USER, DEFAULT_GROUP = "ggc_user", "ggc_group"
AUTO, ROOT = "auto", "root"
_TEST = "/usr/bin/test"
PROBE_TIMEOUT_S = 10.0


class IsolationError(Exception):
    """A container or user was asked for and cannot be had; the text says what to do."""


class IdentityError(IsolationError):
    """A function cannot run as it should; the text says what to do."""


@dataclass(frozen=True)
class Identity:
    """User, group and further groups of a process, by number."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def with_groups(self, more: Iterable[int]) -> Identity:
        """Those it has, its own by /etc/group, and `more`; never root's."""
        try:
            own = os.getgrouplist(pwd.getpwuid(self.uid).pw_name, self.gid)
        except KeyError:
            own = []
        return replace(self, groups=tuple(sorted({*self.groups, *own, *more} - {0, self.gid})))

    def may_write(self, folder: os.stat_result) -> bool:
        """By the folder's own bits; what lies above it is not asked."""
        if folder.st_uid == self.uid:
            return folder.st_mode & 0o300 == 0o300
        if folder.st_gid in (self.gid, *self.groups):
            return folder.st_mode & 0o030 == 0o030
        return folder.st_mode & 0o003 == 0o003

    def can(self, letter: str, path: str) -> bool:
        """Whether this user may read (``r``) or run (``x``) what lies at `path`: it is asked.

        True where nobody can ask: the function's own start will tell.
        """
        try:
            done = subprocess.run(
                [_TEST, f"-{letter}", path], user=self.uid, group=self.gid,
                extra_groups=self.groups, cwd="/", capture_output=True, timeout=PROBE_TIMEOUT_S,
                check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return True
        return done.returncode == 0


def default_identity(choice: str) -> Identity | None:
    """For functions without `RunAs` where the core is root; None: they stay root.

    `choice`: ``auto`` (ggc_user where it exists), ``root``, or USER[:GROUP] by name or number.
    Raises IdentityError for a name that this machine does not know.
    """
    if choice == ROOT:
        return None
    if choice == AUTO:
        try:
            user = pwd.getpwnam(DEFAULT_USER)
        except KeyError:
            return None
        return Identity(user.pw_uid, _gid_or(DEFAULT_GROUP, user.pw_gid))
    name, _, group = choice.partition(":")
    uid, own_gid = _user(name)
    gid = group_number(group) if group else own_gid
    if gid is None:
        raise IdentityError(f"--function-user {choice}: no group {group!r} here; groupadd {group}")
    return Identity(uid, gid) if uid else None


def _user(name: str) -> tuple[int, int]:
    try:
        user = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        if name.isdigit():
            return int(name), int(name)
        raise IdentityError(
            f"--function-user {name}: no such user here; useradd --system {name}, or pass a number"
        ) from None
    return user.pw_uid, user.pw_gid


def group_number(name: str) -> int | None:
    """Of a group by name or number; None where this machine does not know the name."""
    if name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _gid_or(name: str, otherwise: int) -> int:
    found = group_number(name)
    return otherwise if found is None else found


@dataclass(kw_only=True)
class Identities:
    """Decides for each function of a group; `find` takes what the operator should know."""

    choice: str
    insecure: bool
    find: Callable[[str], None]
    core_uid: int = field(default_factory=os.geteuid)
    core_gid: int = field(default_factory=os.getegid)
    unasked: Identity | None = None
    """Whom functions are where nobody named anybody and there is no ggc_user."""
    not_unasked: str = ""
    """Why there is none."""

    def of(self, function: Function, groups: Iterable[int] = ()) -> Identity | None:
        """None: the core's own. `groups`: of what the function is given. Raises IdentityError."""
        uid, gid = function.run_as_uid, function.run_as_gid
        if uid is None and gid is None:
            return self._default(groups)
        if self.insecure:
            self.find(
                f"function {function.id}: RunAs is ignored (--insecure-core-user): it runs as the "
                "core's own user and can read the core's keys"
            )
            return None
        if uid in (None, self.core_uid) and gid in (None, self.core_gid) and self.core_uid:
            return None
        self._refuse(function)
        default = self._named_or_unasked() or Identity(self.core_uid, self.core_gid)
        made = Identity(
            default.uid if uid is None else uid,
            default.gid if gid is None else gid,
        )
        if made.uid == 0 or made.gid == 0:
            raise IdentityError(
                f"function {function.id}: RunAs makes it uid {made.uid}, gid {made.gid}, and 0 is "
                "root: give both Uid and Gid of a user, or pass --insecure-core-user"
            )
        return made.with_groups(groups)

    @property
    def nobody_named(self) -> bool:
        """A core that may switch users, not told to whom, on a machine without ggc_user."""
        asked = self.insecure or self.choice != AUTO
        return not (self.core_uid or asked) and default_identity(AUTO) is None

    @property
    def root_by_default(self) -> bool:
        """Functions without `RunAs` stay root, and nobody has asked for that."""
        return self.nobody_named and self.unasked is None

    @property
    def remedy(self) -> str:
        """What to do about functions that would be root."""
        because = f"{self.not_unasked}; change that, or " if self.not_unasked else ""
        return (
            f"{because}create Greengrass's user (useradd --system --user-group {DEFAULT_USER}), "
            "or pass --function-user USER"
        )

    def _named_or_unasked(self) -> Identity | None:
        return self.unasked if self.nobody_named else default_identity(self.choice)

    def _default(self, groups: Iterable[int]) -> Identity | None:
        if self.core_uid or self.insecure:
            return None
        found = self._named_or_unasked()
        if found is None:
            if self.root_by_default:
                self.find(
                    "functions run as root, as the core does, and can read its keys and each "
                    f"other's tokens: {self.remedy} (root: as now)"
                )
            return None
        return found.with_groups(groups)

    def _refuse(self, function: Function) -> None:
        if self.core_uid:
            raise IdentityError(
                f"function {function.id} asks for RunAs Uid {function.run_as_uid}, Gid "
                f"{function.run_as_gid} and this core, uid {self.core_uid}, may not switch users: "
                "start the core as root, or pass --insecure-core-user to run it as the core's own"
            )


def sharing(identities: Mapping[str, Identity]) -> list[str]:
    """One finding per user that runs several functions without a container."""
    by_uid: dict[int, list[str]] = {}
    for name, identity in identities.items():
        by_uid.setdefault(identity.uid, []).append(name)
    return [
        f"functions {', '.join(names)} run without a container as one user, uid {uid}: each can "
        "read the others' tokens and files; give each its own RunAs, or use containers"
        for uid, names in sorted(by_uid.items())
        if len(names) > 1
    ]
