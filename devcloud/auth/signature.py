"""AWS Signature Version 4, checked: pure functions of one request and a secret.

Source: docs.aws.amazon.com, IAM user guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
SKEW = timedelta(minutes=15)
"""S3's own patience with clocks; the other services allow five minutes."""
LONGEST_URL_S = 7 * 24 * 3600
_HEADER = re.compile(
    rf"{ALGORITHM}\s+Credential=(?P<credential>[^,\s]+),\s*"
    r"SignedHeaders=(?P<signed>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})\s*\Z"
)
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_UNRESERVED = "-_.~"


class SignatureRefused(Exception):  # noqa: N818 (as AWS says it)
    """`code` is AWS's own name of the refusal."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Request:
    """What is signed. `path` and `query` as they came, still encoded; header names lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Claim:
    """What a request says of its own signature. `scope`: date/region/service/aws4_request."""

    key_id: str
    scope: str
    signed_headers: tuple[str, ...]
    signature: str
    moment: datetime
    life: timedelta
    token: str | None
    in_query: bool

    @property
    def service(self) -> str:
        return self.scope.split("/")[2]


def claim_of(request: Request) -> Claim:
    """Raises SignatureRefused where there is no signature, or a malformed one."""
    query = dict(_pairs(request.query))
    if "X-Amz-Signature" in query:
        return _claim(
            query.get("X-Amz-Credential", ""),
            query.get("X-Amz-SignedHeaders", ""),
            query["X-Amz-Signature"],
            query.get("X-Amz-Date", ""),
            life_s=query.get("X-Amz-Expires", ""),
            token=query.get("X-Amz-Security-Token"),
        )
    found = _HEADER.match(request.headers.get("authorization", ""))
    if found is None:
        raise SignatureRefused("MissingAuthenticationToken", "the request is not signed")
    return _claim(
        found["credential"],
        found["signed"],
        found["signature"],
        request.headers.get("x-amz-date", ""),
        token=request.headers.get("x-amz-security-token"),
    )


def _claim(  # noqa: PLR0913 (the parts of a signature)
    credential: str, signed: str, signature: str, date: str, *, token: str | None, life_s: str = ""
) -> Claim:
    key_id, _, scope = credential.partition("/")
    try:
        moment = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        life = timedelta(seconds=min(int(life_s), LONGEST_URL_S)) if life_s else SKEW
    except ValueError as error:
        raise SignatureRefused("IncompleteSignature", f"{error}") from error
    if len(scope.split("/")) != 4 or not scope.startswith(date[:8]):
        raise SignatureRefused("IncompleteSignature", f"credential scope {scope!r}")
    names = tuple(signed.split(";"))
    if "host" not in names:
        raise SignatureRefused("IncompleteSignature", "the header host is not signed")
    return Claim(key_id, scope, names, signature, moment, life, token, bool(life_s))


def verify(request: Request, claim: Claim, secret: str, now: datetime) -> None:
    """Raises SignatureRefused unless `secret` made this signature, for this, at this time."""
    if claim.moment - SKEW > now or now > claim.moment + max(claim.life, timedelta(0)):
        raise SignatureRefused(
            "RequestExpired" if claim.in_query else "SignatureDoesNotMatch",
            f"signed for {claim.moment:%Y-%m-%dT%H:%M:%SZ}, the cloud's clock says "
            f"{now:%Y-%m-%dT%H:%M:%SZ}",
        )
    payload = _payload_hash(request, claim)
    # S3 signs the path as it is sent, every other service encodes it once more.
    for path in (request.path, quote(request.path, safe="/~")):
        if hmac.compare_digest(_signature(request, claim, secret, path, payload), claim.signature):
            return
    raise SignatureRefused("SignatureDoesNotMatch", "the signature is not of this key and request")


def _payload_hash(request: Request, claim: Claim) -> str:
    said = request.headers.get("x-amz-content-sha256")
    actual = hashlib.sha256(request.body).hexdigest()
    if said is None:
        return UNSIGNED if claim.in_query and claim.service == "s3" else actual
    if _HEX.match(said) and said != actual:
        raise SignatureRefused("XAmzContentSHA256Mismatch", "the body is not the one signed")
    return said


def _signature(request: Request, claim: Claim, secret: str, path: str, payload: str) -> str:
    canonical = "\n".join(
        (
            request.method,
            path or "/",
            canonical_query(request.query),
            "".join(f"{name}:{_value(request, name)}\n" for name in claim.signed_headers),
            ";".join(claim.signed_headers),
            payload,
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((ALGORITHM, f"{claim.moment:%Y%m%dT%H%M%SZ}", claim.scope, digest))
    key = f"AWS4{secret}".encode()
    for part in claim.scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def canonical_query(query: str) -> str:
    """Sorted, encoded alike, without the signature itself."""
    encoded = sorted(
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED))
        for name, value in _pairs(query)
        if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


def _pairs(query: str) -> list[tuple[str, str]]:
    """A plus is a plus here, not a space."""
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in parts]


def _value(request: Request, name: str) -> str:
    return " ".join(request.headers.get(name, "").split())
