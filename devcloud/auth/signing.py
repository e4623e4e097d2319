"""Signing a request of our own, with botocore: the other side of what is checked here."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from devcloud.auth.keys import Key


def ask(url: str, key: Key, body: bytes | None = None, timeout_s: float = 10.0) -> Any:
    """GET, or POST `body`; the JSON answer. Raises OSError as urllib does."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {"Content-Type": "application/json"} if body is not None else {}
    signed = AWSRequest("GET" if body is None else "POST", url, headers, data=body or b"")
    SigV4Auth(Credentials(key.id, key.secret), "devcloud", "us-east-1").add_auth(signed)
    request = urllib.request.Request(url, data=body, headers=dict(signed.headers))  # noqa: S310
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 (loopback)
        return json.load(answer)
