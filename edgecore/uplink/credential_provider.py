"""The credential provider: what functions get from the core, as V1's token exchange gives it.

With a join file they are the role alias's (``edgecore.uplink.iot.role_alias``); without one
there are none, unless the operator shares this process's own by ``--insecure-static-credentials``.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

Credentials = Callable[[], Awaitable[Mapping[str, Any]]]
"""What boto3 reads from the credentials endpoint. Raises ``LookupError`` with the reason."""

LIFETIME = timedelta(hours=1)


async def no_credentials() -> Mapping[str, Any]:
    raise LookupError(
        "the core has no AWS credentials to give: start it with --join, or for development with "
        "--insecure-static-credentials"
    )


async def static_credentials() -> Mapping[str, Any]:
    """The keys in this process's environment: every function may do what their owner may."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        raise LookupError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set for the core")
    expiration = datetime.now(timezone.utc) + LIFETIME
    return {
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "Token": os.environ.get("AWS_SESSION_TOKEN", ""),
        "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
