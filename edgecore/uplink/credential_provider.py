"""The credential provider: the core's own cloud credentials, as V1's token exchange gives them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

LIFETIME = timedelta(hours=1)


def function_credentials() -> Mapping[str, Any] | None:
    """What boto3 reads from the credentials endpoint; None where the core has none."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    expiration = datetime.now(timezone.utc) + LIFETIME
    return {
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "Token": os.environ.get("AWS_SESSION_TOKEN", ""),
        "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
