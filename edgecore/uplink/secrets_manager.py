"""Versions of a secret from AWS Secrets Manager, as V1 fetched them at each deployment."""

from __future__ import annotations

import base64
from typing import Any

from edgecore.core.group import SecretResource
from edgecore.core.secrets import CURRENT, SecretValue


class SecretAway(Exception):  # noqa: N818 - a state of the world
    """One line that names the secret and never its value."""


def fetch(client: Any, resource: SecretResource) -> list[SecretValue]:
    """AWSCURRENT and the labels that the group asks for. ``client``: boto3's. Raises SecretAway."""
    found: dict[str, SecretValue] = {}
    for stage in dict.fromkeys((CURRENT, *resource.stages)):
        value = _version(client, resource, stage)
        if value is not None:
            found[value.version_id] = value
    return list(found.values())


def _version(client: Any, resource: SecretResource, stage: str) -> SecretValue | None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        given = client.get_secret_value(SecretId=resource.arn, VersionStage=stage)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "error")
        if code == "ResourceNotFoundException" and stage != CURRENT:
            return None
        raise SecretAway(
            f"secret {resource.name}: Secrets Manager refuses with {code}; check that the role of "
            "the role alias may call secretsmanager:GetSecretValue on it, and that it is there"
        ) from error
    except (BotoCoreError, OSError, LookupError) as error:
        raise SecretAway(f"secret {resource.name}: {error}") from error
    binary = given.get("SecretBinary")
    return SecretValue(
        arn=resource.arn,
        name=str(given["Name"]),
        version_id=str(given["VersionId"]),
        stages=tuple(given.get("VersionStages") or (stage,)),
        created_ms=round(given["CreatedDate"].timestamp() * 1000),
        text=given.get("SecretString"),
        binary=None if binary is None else base64.b64encode(binary).decode(),
    )
