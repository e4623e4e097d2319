"""Who asks, for as long as one request is answered."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from edgecore.people.roles import Role

By = Literal["nobody", "token", "session", "bearer", "proxy"]
AMBIENT = frozenset({"session", "proxy"})
"""What a browser sends by itself, also for a page that somebody else made."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """``role`` None: not signed in. ``address``: of who asks, behind a trusted proxy too."""

    name: str
    role: Role | None
    by: By
    address: str


CURRENT: ContextVar[Identity | None] = ContextVar("fanfold_identity", default=None)


def who(otherwise: str) -> str:
    """The name of who asks, within a request."""
    identity = CURRENT.get()
    return identity.name if identity is not None and identity.name else otherwise
