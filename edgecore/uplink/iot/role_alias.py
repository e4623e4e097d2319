"""Temporary AWS credentials for the device's certificate: the IoT credentials provider.

``GET https://HOST/role-aliases/ALIAS/credentials`` with mutual TLS and the thing's name
(AWS IoT developer guide, "Authorizing direct calls to AWS services"). One request at a time;
renewed before they expire; a refusal is remembered, so nobody hammers the provider.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from edgecore.uplink.iot.identity import Identity, IdentityError
from edgecore.uplink.iot.problems import of_connecting
from edgecore.uplink.iot.proxy import DEFAULT_PORT, headers_of, parts_of
from edgecore.uplink.iot.tls import UnusableIdentity, device_context, own_certificate_problem

log = logging.getLogger(__name__)

RENEW_BEFORE_S = 300.0
"""The Greengrass nucleus renews five minutes before the end."""
MAX_RENEW_FRACTION = 0.5
TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 65_536
REMEMBERED_S = {4: 120.0, 5: 60.0}
REMEMBERED_OTHERWISE_S = 30.0
SKEW_S = 240.0
"""AWS refuses signatures that are more than 5 minutes off (S3: 15)."""


class NoCredentials(LookupError):  # noqa: N818 - a state of the world
    """Why there are none: one line with the remedy."""


@dataclass(frozen=True)
class Credentials:
    key_id: str
    secret: str
    token: str
    expires_at: float

    def lent(self) -> Mapping[str, Any]:
        """As V1's credentials endpoint and boto3's container provider name them."""
        return {
            "AccessKeyId": self.key_id,
            "SecretAccessKey": self.secret,
            "Token": self.token,
            "Expiration": expiry_text(self.expires_at),
        }


class RoleAliasCredentials:
    """``now`` blocks and may be called from any thread; ``get`` waits in the event loop."""

    def __init__(
        self, identity: Callable[[], Identity], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._identity, self._clock = identity, clock
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._held_for: Identity | None = None
        self._renew_at = 0.0
        self._refused_until = 0.0
        self._problem: str | None = None
        self.fetched = 0

    async def get(self) -> Mapping[str, Any]:
        """For functions. Raises ``NoCredentials``."""
        held = self._held
        if held is not None and self._clock() < self._renew_at:
            return held.lent()
        return (await asyncio.to_thread(self.now)).lent()

    def now(self) -> Credentials:
        """Raises ``NoCredentials``. Old ones serve until their end where new ones fail."""
        with self._lock:
            identity = self._known_identity()
            now = self._clock()
            if self._held is not None and identity != self._held_for:
                self._held, self._refused_until = None, 0.0
            if self._held is not None and now < self._renew_at:
                return self._held
            if now >= self._refused_until:
                self._renew(identity, now)
            if self._held is not None and now < self._held.expires_at:
                return self._held
            raise NoCredentials(self._problem or "no credentials yet")

    def status(self) -> dict[str, Any]:
        """``source`` as the demo and the page show it."""
        return {
            "source": "role-alias",
            "expires_at": self._held.expires_at if self._held else None,
            "fetched": self.fetched,
            "problem": self._problem,
        }

    def _known_identity(self) -> Identity:
        try:
            identity = self._identity()
        except IdentityError as error:
            raise NoCredentials(str(error)) from error
        if not identity.role_alias or not identity.credentials_host:
            raise NoCredentials(
                f"{identity.source}: names no role_alias with credentials_endpoint, so this core "
                "has no AWS credentials; provision the device again with a role alias"
            )
        return identity

    def _renew(self, identity: Identity, now: float) -> None:
        try:
            self._held = fetch(identity)
        except _Failed as error:
            self._refused_until = now + error.remember_s
            if error.message != self._problem:
                log.warning("credentials: %s", error.message)
            self._problem = error.message
            return
        self.fetched += 1
        self._held_for, self._problem, self._refused_until = identity, None, 0.0
        life_s = self._held.expires_at - now
        self._renew_at = self._held.expires_at - min(RENEW_BEFORE_S, life_s * MAX_RENEW_FRACTION)


class _Failed(Exception):  # noqa: N818
    def __init__(self, message: str, remember_s: float) -> None:
        super().__init__(message)
        self.message, self.remember_s = message, remember_s


def fetch(identity: Identity) -> Credentials:
    """One request. Raises ``_Failed``."""
    host, port = identity.credentials_host or "", identity.credentials_port
    alias = quote(identity.role_alias or "", safe="")
    try:
        connection = _connection(identity, host, port)
        try:
            headers = {"x-amzn-iot-thingname": identity.thing}
            connection.request("GET", f"/role-aliases/{alias}/credentials", headers=headers)
            response = connection.getresponse()
            body = response.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()
    except UnusableIdentity as error:
        raise _Failed(error.problem.message, REMEMBERED_OTHERWISE_S) from error
    except (OSError, http.client.HTTPException) as error:
        known = own_certificate_problem(identity)
        problem = known or of_connecting(error, host, port, identity.proxy)
        raise _Failed(problem.message, REMEMBERED_OTHERWISE_S) from error
    if response.status != http.HTTPStatus.OK:
        raise _refusal(identity, response.status, body)
    return _parsed(body, response.headers.get("Date"))


def _connection(identity: Identity, host: str, port: int) -> http.client.HTTPSConnection:
    """SNI is the host's name in both cases: the provider refuses a request without it."""
    context = device_context(identity, alpn=False)
    if not identity.proxy:
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
    proxy = parts_of(identity.proxy)
    connection = http.client.HTTPSConnection(
        proxy.hostname or "", proxy.port or DEFAULT_PORT, timeout=TIMEOUT_S, context=context
    )
    connection.set_tunnel(host, port, headers_of(identity.proxy))
    return connection


def _refusal(identity: Identity, status: int, body: bytes) -> _Failed:
    said = body.decode(errors="replace").strip()[:200]
    alias, thing = identity.role_alias, identity.thing
    remedy = {
        403: f"its policy needs iot:AssumeRoleWithCertificate on rolealias/{alias}, the role must "
        f"trust credentials.iot.amazonaws.com, and the certificate must be active and attached "
        f"to {thing!r}",
        404: "create the role alias, or provision the device again with its right name",
    }.get(status, "tried again")
    return _Failed(
        f"role alias {alias!r}: the credentials provider answers {status} ({said}); {remedy}",
        REMEMBERED_S.get(status // 100, REMEMBERED_OTHERWISE_S),
    )


def _parsed(body: bytes, date: str | None) -> Credentials:
    try:
        found = json.loads(body)["credentials"]
        expires = datetime.fromisoformat(found["expiration"].replace("Z", "+00:00"))
        held = Credentials(
            str(found["accessKeyId"]), str(found["secretAccessKey"]),
            str(found["sessionToken"]), expires.timestamp(),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"the credentials provider's answer is none ({error!r})"
        raise _Failed(message, REMEMBERED_OTHERWISE_S) from error
    _warn_of_skew(date)
    return held


def _warn_of_skew(date: str | None) -> None:
    try:
        there = datetime.strptime(date or "", "%a, %d %b %Y %H:%M:%S %Z")
    except ValueError:
        return
    skew_s = time.time() - there.replace(tzinfo=timezone.utc).timestamp()
    if abs(skew_s) > SKEW_S:
        log.warning(
            "this device's clock is %.0f s off AWS's: AWS refuses what it signs; set the clock "
            "(timedatectl set-ntp true)", skew_s,
        )  # fmt: skip


def expiry_text(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
