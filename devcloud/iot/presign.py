"""Placeholders of a job document, filled in each time that a device asks for it.

`${aws:iot:s3-presigned-url:URL}` and `…-v2:URL-encoded URL`: links signed as the job's own role.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlparse

from devcloud.iot.credentials import session_of
from devcloud.iot.registry import Registry

_PLACEHOLDER = re.compile(r"\$\{aws:iot:s3-presigned-url(?P<two>-v2)?:(?P<url>[^}]+)\}")
DEFAULT_LIFE_S = 3600


def fill(document: str, registry: Registry, presign: Mapping[str, Any], endpoint_url: str) -> str:
    """Without a role in `presign`, or without placeholders, the document is as it was."""
    role = presign.get("roleArn")
    if not role or not _PLACEHOLDER.search(document):
        return document
    client = _client(registry, str(role), endpoint_url)
    life_s = int(presign.get("expiresInSec") or DEFAULT_LIFE_S)

    def signed(found: re.Match[str]) -> str:
        url = unquote(found["url"]) if found["two"] else found["url"]
        bucket, key = place_of(url)
        wanted = {"Bucket": bucket, "Key": key}
        return str(client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=life_s))

    return _PLACEHOLDER.sub(signed, document)


def place_of(url: str) -> tuple[str, str]:
    """Bucket and key of `https://bucket.s3.region…/key` or `https://s3.region…/bucket/key`."""
    parts = urlparse(url)
    host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
    first = host.partition(".")[0]
    if first == "s3" or first.startswith("s3-"):
        bucket, _, key = path.partition("/")
        return bucket, key
    return host.partition(".s3")[0], path


def _client(registry: Registry, role: str, endpoint_url: str) -> Any:
    import boto3
    from botocore.config import Config

    session = session_of(registry, role, "iot-jobs", DEFAULT_LIFE_S)
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=registry.region,
        aws_access_key_id=session.access_key_id,
        aws_secret_access_key=session.secret_access_key,
        aws_session_token=session.session_token,
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
