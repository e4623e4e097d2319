"""Who is asking: one token per worker process."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import lru_cache

TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Caller:
    """A worker process of a function."""

    function_arn: str
    worker: str


class Tokens:
    """Issues and recognises tokens.

    Looked up by digest: how long a look-up takes says nothing about the token itself, which
    is what a constant-time comparison is for, without one comparison per worker.
    """

    def __init__(self) -> None:
        self._callers: dict[bytes, Caller] = {}
        self._digests: dict[str, bytes] = {}

    def issue(self, caller: Caller) -> str:
        """The value of AWS_CONTAINER_AUTHORIZATION_TOKEN for a new worker."""
        token = f"Basic {secrets.token_urlsafe(TOKEN_BYTES)}"
        digest = _digest(token.encode())
        self._callers[digest] = caller
        self._digests[caller.worker] = digest
        return token

    def revoke(self, worker: str) -> None:
        digest = self._digests.pop(worker, None)
        if digest is not None:
            del self._callers[digest]

    def caller(self, token: bytes) -> Caller | None:
        return self._callers.get(_digest(token))


@lru_cache(256)
def _digest(token: bytes) -> bytes:
    """Remembered, as every request brings one: the hash of a look-up here is keyed anew in each
    process, and says no more of a token than the digest does."""
    return hashlib.sha256(token).digest()
