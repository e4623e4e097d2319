"""One request to the IoT credentials provider, and what its answer says.

``GET https://HOST/role-aliases/ALIAS/credentials`` with mutual TLS and the thing's name
(AWS IoT developer guide, "Authorizing direct calls to AWS services").
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from edgecore.uplink.iot.identity import Identity
from edgecore.uplink.iot.problems import of_connecting
from edgecore.uplink.iot.proxy import DEFAULT_PORT, headers_of, parts_of
from edgecore.uplink.iot.tls import UnusableIdentity, device_context, own_certificate_problem

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 65_536
REMEMBERED_S = {4: 120.0, 5: 60.0}
REMEMBERED_OTHERWISE_S = 30.0


@dataclass(frozen=True)
class Credentials:
    """``expires_at``: by this device's clock, as whoever reads it has no other."""

    key_id: str
    secret: str
    token: str
    expires_at: float

    def as_answer(self) -> Mapping[str, Any]:
        """As V1's credentials endpoint and boto3's container provider name them."""
        return {
            "AccessKeyId": self.key_id,
            "SecretAccessKey": self.secret,
            "Token": self.token,
            "Expiration": expiry_text(self.expires_at),
        }


@dataclass(frozen=True)
class Answer:
    """``life_s``: how long they are good, by the provider's clock where it tells its time: this
    device's may be wrong. ``skew_s``: how far this device's is ahead of it; None: not told."""

    credentials: Credentials
    life_s: float
    skew_s: float | None


class AskingFailed(Exception):  # noqa: N818 - a state of the world, asked again
    """``longest_s``: how long it may be remembered before the provider is asked again."""

    def __init__(self, message: str, longest_s: float = REMEMBERED_OTHERWISE_S) -> None:
        super().__init__(message)
        self.message, self.longest_s = message, longest_s


def ask(identity: Identity) -> Answer:
    """Blocking. Raises ``AskingFailed``."""
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
        raise AskingFailed(error.problem.message) from error
    except (OSError, http.client.HTTPException) as error:
        known = own_certificate_problem(identity)
        problem = known or of_connecting(error, host, port, identity.proxy)
        raise AskingFailed(problem.message) from error
    if response.status != http.HTTPStatus.OK:
        raise _refusal(identity, response.status, body)
    return _parsed(identity, body, _time_of(response.headers.get("Date")))


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


def _refusal(identity: Identity, status: int, body: bytes) -> AskingFailed:
    said = body.decode(errors="replace").strip()[:200]
    alias, thing = identity.role_alias, identity.thing
    remedy = {
        403: f"its policy needs iot:AssumeRoleWithCertificate on rolealias/{alias}, the role must "
        f"trust credentials.iot.amazonaws.com, and the certificate must be active and attached "
        f"to {thing!r}",
        404: "create the role alias, or provision the device again with its right name",
    }.get(status, "tried again")
    return AskingFailed(
        f"role alias {alias!r}: the credentials provider answers {status} ({said}); {remedy}",
        REMEMBERED_S.get(status // 100, REMEMBERED_OTHERWISE_S),
    )


def _parsed(identity: Identity, body: bytes, there: float | None) -> Answer:
    try:
        found = json.loads(body)["credentials"]
        expires = datetime.fromisoformat(found["expiration"].replace("Z", "+00:00"))
        if expires.tzinfo is None:
            expires = expires.replace(tzinfo=timezone.utc)
        keys = ("accessKeyId", "secretAccessKey", "sessionToken")
        key_id, secret, token = (str(found[key]) for key in keys)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = " ".join(repr(error).split())[:200]
        raise AskingFailed(f"role alias {identity.role_alias!r}: the credentials provider's "
            f"answer is none ({said}); check credentials_endpoint in the join file"
        ) from error  # fmt: skip
    here = time.time()
    life_s = expires.timestamp() - (here if there is None else there)
    if life_s <= 0:
        whose = "this device's clock (check it first)" if there is None else "its own clock"
        raise AskingFailed(f"role alias {identity.role_alias!r}: the credentials provider gave "
            f"credentials that ended at {expiry_text(expires.timestamp())}, {-life_s:.0f} s ago by "
            f"{whose}; tried again")  # fmt: skip
    held = Credentials(key_id, secret, token, expires_at=here + life_s)
    return Answer(held, life_s, None if there is None else here - there)


def _time_of(date: str | None) -> float | None:
    try:
        there = datetime.strptime(date or "", "%a, %d %b %Y %H:%M:%S %Z")
    except ValueError:
        return None
    return there.replace(tzinfo=timezone.utc).timestamp()


def expiry_text(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
