"""Who is signed in: only hashes of what browsers and programs hold; they survive restarts."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecore.people.kept_file import FOLDER, KeptFile
from edgecore.people.users import User, Users

DAY_S = 86_400
BROWSER_DAYS = 7
"""From the log-in on, used or not: a page left open ends with its week."""
MAX_TOKEN_DAYS = 3650
MAX_SESSIONS = 1000
MAX_PER_USER = 50
"""One more ends the user's oldest of the same kind."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """``kind``: ``browser`` or ``token``, which a program sends."""

    user: str
    kind: str
    since: float
    until: float
    address: str


class Sessions:
    """``open`` gives what to hold; ``who`` tells whose it is."""

    def __init__(self, state: Path, users: Users, wall: Callable[[], float] = time.time) -> None:
        self._file = KeptFile(state / FOLDER / "sessions.json")
        self._users = users
        self._wall = wall

    def open(self, user: User, *, kind: str, days: float, address: str = "") -> str:
        """256 random bits that nobody had before. Raises KeptFileError."""
        token, now = secrets.token_urlsafe(32), self._wall()
        entry = {
            "user": user.name, "stamp": user.stamp, "kind": kind, "from": address,
            "since": round(now, 3), "until": round(now + days * DAY_S, 3),
        }  # fmt: skip

        def change(content: dict[str, Any]) -> None:
            kept = _good(content)
            _make_room(kept, user.name, kind, now)
            content["sessions"] = {**kept, _hash(token): entry}

        self._file.change(change)
        return token

    def who(self, token: str) -> User | None:
        """None: unknown, over, or the user was changed or removed. Raises KeptFileError."""
        entry = _good(self._file.read()).get(_hash(token))
        if entry is None or entry["until"] <= self._wall():
            return None
        user = self._users.get(entry["user"])
        return user if user is not None and user.stamp == entry["stamp"] else None

    def close(self, token: str) -> None:
        """Raises KeptFileError."""

        def change(content: dict[str, Any]) -> None:
            kept = _good(content)
            kept.pop(_hash(token), None)
            content["sessions"] = kept

        self._file.change(change)

    def of(self, user: User) -> list[Session]:
        """Those that still count, the newest first. Raises KeptFileError."""
        found = [
            Session(user=user.name, kind=e["kind"], since=e["since"], until=e["until"],
                address=e["from"])
            for e in _good(self._file.read()).values()
            if e["user"] == user.name and e["stamp"] == user.stamp and e["until"] > self._wall()
        ]  # fmt: skip
        return sorted(found, key=lambda s: -s.since)


def _hash(token: str) -> str:
    """Random bits need no salt and no slow hash: there is nothing to guess."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _good(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Entries that are whole: what is damaged signs nobody in."""
    kinds = {"user": str, "stamp": str, "kind": str, "from": str, "since": float, "until": float}
    sessions = content.get("sessions")
    if not isinstance(sessions, dict):
        return {}
    return {
        key: entry
        for key, entry in sessions.items()
        if isinstance(entry, dict)
        and all(isinstance(entry.get(name), (kind, int) if kind is float else kind)
            for name, kind in kinds.items())
    }  # fmt: skip


def _make_room(kept: dict[str, dict[str, Any]], user: str, kind: str, now: float) -> None:
    for key in [key for key, entry in kept.items() if entry["until"] <= now]:
        del kept[key]
    own = [key for key, entry in kept.items() if entry["user"] == user and entry["kind"] == kind]
    crowd = own if len(own) >= MAX_PER_USER else list(kept) if len(kept) >= MAX_SESSIONS else []
    if crowd:
        del kept[min(crowd, key=lambda key: kept[key]["since"])]


def user_json(user: User, sessions: Sessions) -> dict[str, Any]:
    """One user as pages and ``fanfold user list --json`` show it; nothing secret."""
    return {
        "name": user.name,
        "role": user.role.word,
        "password": user.password is not None,
        "since": user.since,
        "sessions": [
            {"kind": s.kind, "since": s.since, "until": s.until, "from": s.address}
            for s in sessions.of(user)
        ],
    }
