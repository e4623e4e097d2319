"""What a role's session may do: of S3 what the role's policies say, of the rest nothing.

Only sessions that a device got through the credentials provider are bound so; an operator's
are not, because moto knows no users.
"""

from __future__ import annotations

from urllib.parse import parse_qs, unquote

from devcloud.auth.keys import ACCOUNT, Holder
from devcloud.auth.roles import may
from devcloud.auth.signature import Request, SignatureRefused


def permit(holder: Holder, service: str, request: Request) -> None:
    """Raises SignatureRefused (AccessDenied) for what the role does not allow."""
    if service == "sts" and b"GetCallerIdentity" in request.body:
        return
    action, resource = _s3(request) if service == "s3" else (f"{service}:?", "*")
    role = holder.role_arn or ""
    if service != "s3" or not may(ACCOUNT, role, action, resource, holder.variables):
        raise SignatureRefused("AccessDenied", f"{role} may not {action} on {resource}")


def _s3(request: Request) -> tuple[str, str]:
    """The action and the ARN of a path-style or virtual-hosted request."""
    host = request.headers.get("host", "").partition(":")[0]
    path = unquote(request.path).lstrip("/")
    if host.endswith(".localhost"):
        bucket, key = host.removesuffix(".localhost"), path
    else:
        bucket, _, key = path.partition("/")
    if not key:
        return "s3:ListBucket", f"arn:aws:s3:::{bucket}"
    names = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject",
             "DELETE": "DeleteObject"}  # fmt: skip
    name = names.get(request.method, "?")
    if "versionId" in parse_qs(request.query) and name == "GetObject":
        name = "GetObjectVersion"
    return f"s3:{name}", f"arn:aws:s3:::{bucket}/{key}"
