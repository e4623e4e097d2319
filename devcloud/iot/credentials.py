"""The credentials provider: a role's session for who has a certificate (a role alias).

Source: docs.aws.amazon.com, IoT developer guide, "Authorizing direct calls to AWS services".
"""

from __future__ import annotations

import json
from typing import Any

from devcloud.iot.registry import Peer, Registry

SERVICE = "credentials.iot.amazonaws.com"


class CredentialsRefused(Exception):  # noqa: N818 (as AWS says it)
    """`status` of the HTTP answer."""

    def __init__(self, status: int, message: str, why: str) -> None:
        super().__init__(message)
        self.status, self.why = status, why


def credentials_of(registry: Registry, peer: Peer, alias: str, thing: str | None) -> dict[str, Any]:
    """The answer's body. Raises CredentialsRefused: 404 for the alias, 403 for everything else.

    AWS tells the device no more than "Access Denied"; `why` is for this cloud's own log.
    """
    if thing is not None and not registry.is_attached(peer, thing):
        raise _denied(f"the certificate is not attached to thing {thing}")
    found = registry.backend.role_aliases.get(alias)
    if found is None:
        raise CredentialsRefused(404, f"Role alias {alias} not found", "no such role alias")
    context = registry.context(peer, thing)
    if not registry.allows(peer, "AssumeRoleWithCertificate", f"rolealias/{alias}", context):
        raise _denied(f"no policy allows iot:AssumeRoleWithCertificate on {alias}")
    _refuse_untrusting(registry.account, found.role_arn)
    session = _session(registry, found, peer, thing)
    return {
        "credentials": {
            "accessKeyId": session.access_key_id,
            "secretAccessKey": session.secret_access_key,
            "sessionToken": session.session_token,
            "expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    }


def session_of(registry: Registry, role_arn: str, name: str, duration_s: int) -> Any:
    """A session of a role that may do what the role's policies say, and no more."""
    from moto.sts.models import sts_backends

    session = sts_backends[registry.account]["aws"].assume_role(
        registry.region, name, role_arn, None, duration_s, None
    )
    session.bound_to_role = True
    return session


def _session(registry: Registry, alias: Any, peer: Peer, thing: str | None) -> Any:
    made = session_of(
        registry, alias.role_arn, peer.certificate_id, int(alias.credential_duration_seconds)
    )
    made.role_variables = {"credentials-iot:AwsCertificateId": peer.certificate_id}
    if thing is not None:
        made.role_variables["credentials-iot:ThingName"] = thing
    return made


def _refuse_untrusting(account: str, role_arn: str) -> None:
    from moto.iam.models import iam_backends

    try:
        role = iam_backends[account]["aws"].get_role_by_arn(role_arn)
    except Exception as error:
        raise _denied(f"there is no role {role_arn}") from error
    document = role.assume_role_policy_document
    trust = json.loads(document) if isinstance(document, str) else document
    for statement in _listed(trust.get("Statement", [])):
        services = _listed(statement.get("Principal", {}).get("Service", []))
        if statement.get("Effect") == "Allow" and SERVICE in services:
            return
    raise _denied(f"{role_arn} does not trust {SERVICE}")


def _denied(why: str) -> CredentialsRefused:
    return CredentialsRefused(403, "Access Denied", why)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
