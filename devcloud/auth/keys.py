"""The keys that open this run's cloud: one made at its start, and what STS has given out since."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from devcloud.auth.signature import SignatureRefused

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Key:
    """An access key; the secret never shows in a log or a message."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Key({self.id})"

    @classmethod
    def random(cls) -> Key:
        """Of AWS's own form, so that no SDK refuses it unread."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        return cls(
            "AKIA" + "".join(secrets.choice(letters) for _ in range(16)),
            secrets.token_urlsafe(30),
        )


@dataclass(frozen=True)
class Holder:
    """Who signed. `role_arn` where a role's own policies are all that it may do."""

    secret: str
    role_arn: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


class Keyring:
    """Looks a key up. Sessions live in moto's STS; what a device got is bound to its role."""

    def __init__(self, run: Key) -> None:
        self._run = run

    def holder(self, key_id: str, token: str | None, now: datetime) -> Holder:
        """Raises SignatureRefused for a key that this run never gave out, or no longer."""
        if secrets.compare_digest(key_id.encode(), self._run.id.encode()):
            return Holder(self._run.secret)
        session = _session(key_id)
        if session is None or not secrets.compare_digest(
            str(session.session_token).encode(), (token or "").encode()
        ):
            raise SignatureRefused(
                "InvalidClientTokenId",
                "this key was not given out by this run of the development cloud; take the "
                'present one: eval "$(fanfold devcloud env)"',
            )
        if session.expiration.replace(tzinfo=timezone.utc) <= now:
            raise SignatureRefused("ExpiredToken", "the security token has expired")
        bound = getattr(session, "bound_to_role", False)
        variables = getattr(session, "role_variables", {})
        return Holder(session.secret_access_key, session.role_arn if bound else None, variables)


def _session(key_id: str) -> Any | None:
    from moto.sts.models import sts_backends

    return sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(key_id)
