"""Users of one core: name, role, password hash; ``people/users.json`` below its state."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecore.people.kept_file import FOLDER, KeptFile, KeptFileError
from edgecore.people.passwords import hash_password, matches
from edgecore.people.roles import Role, role_of

MAX_USERS = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


class AccountError(ValueError):
    """What was asked for cannot be done; subject, value, remedy."""


@dataclass(frozen=True, kw_only=True)
class User:
    """``password`` None: comes through a trusted proxy only. ``stamp`` is another one after every
    change, which ends what was signed in before it."""

    name: str
    role: Role
    password: str | None
    stamp: str
    since: float


class Users:
    """Both the core's and the command line's: each sees the other's changes at once."""

    def __init__(self, state: Path, wall: Callable[[], float] = time.time) -> None:
        self._file = KeptFile(state / FOLDER / "users.json")
        self._wall = wall

    def all(self) -> list[User]:
        """By name. Raises KeptFileError."""
        return [self._user(name, kept) for name, kept in sorted(self._kept().items())]

    def get(self, name: str) -> User | None:
        """Raises KeptFileError."""
        kept = self._kept().get(name)
        return self._user(name, kept) if kept is not None else None

    def require(self, name: str) -> User:
        """Raises AccountError with those that there are, KeptFileError."""
        user = self.get(name)
        if user is None:
            raise _unknown(name, self._kept())
        return user

    def check(self, name: str, password: str) -> User | None:
        """Who that is, else None; as slow for a name that is not there. Raises KeptFileError."""
        user = self.get(name)
        return user if matches(password, user.password if user else None) else None

    def add(self, name: str, role: Role, password: str | None) -> None:
        """Raises AccountError, PasswordError, KeptFileError."""
        if not _NAME.fullmatch(name):
            raise AccountError(
                f"name {name!r:.80}: 1 to 64 letters, digits or . _ @ + -, a letter or digit first"
            )
        kept = self._new(role, hash_password(password) if password is not None else None)

        def change(content: dict[str, Any]) -> None:
            users = content.setdefault("users", {})
            if name in users:
                raise AccountError(f"user {name!r} exists; change it, or remove it first")
            if len(users) >= MAX_USERS:
                raise AccountError(f"{MAX_USERS} users, the most there can be: remove one")
            users[name] = kept

        self._file.change(change)

    def set_role(self, name: str, role: Role) -> None:
        """Raises AccountError, KeptFileError."""
        self._change(name, lambda kept: {**kept, "role": role.word})

    def set_password(self, name: str, password: str) -> None:
        """Raises AccountError, PasswordError, KeptFileError."""
        hashed = hash_password(password)
        self._change(name, lambda kept: {**kept, "password": hashed})

    def sign_out(self, name: str) -> None:
        """Everywhere, tokens too. Raises AccountError, KeptFileError."""
        self._change(name, dict)

    def remove(self, name: str) -> None:
        """Raises AccountError, KeptFileError."""

        def change(content: dict[str, Any]) -> None:
            if content.get("users", {}).pop(name, None) is None:
                raise _unknown(name, content.get("users", {}))

        self._file.change(change)

    def _change(self, name: str, new: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        def change(content: dict[str, Any]) -> None:
            users = content.get("users", {})
            if name not in users:
                raise _unknown(name, users)
            users[name] = {**new(users[name]), "stamp": secrets.token_hex(8)}

        self._file.change(change)

    def _kept(self) -> dict[str, Any]:
        users = self._file.read().get("users", {})
        if not isinstance(users, dict):
            raise KeptFileError(f"{self._file.path}: 'users' is not an object; put a backup back")
        return users

    def _new(self, role: Role, hashed: str | None) -> dict[str, Any]:
        return {
            "role": role.word,
            "password": hashed,
            "stamp": secrets.token_hex(8),
            "since": round(self._wall(), 3),
        }

    def _user(self, name: str, kept: Any) -> User:
        try:
            return User(
                name=name,
                role=role_of(kept["role"]),
                password=kept["password"],
                stamp=str(kept["stamp"]),
                since=float(kept["since"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise KeptFileError(
                f"{self._file.path}: user {name!r:.80} cannot be read ({error!r}); remove it "
                "(fanfold user remove) and add it again"
            ) from error


def _unknown(name: str, users: Iterable[str]) -> AccountError:
    known = ", ".join(sorted(users)[:12]) or "none"
    return AccountError(f"no user {name!r:.80}; users: {known}")
