"""What GGSecretManager answers to ``get_secret_value``, for the SDK's own exceptions. Pure.

Request and answer are those of AWS's SDK (greengrasssdk 1.6.1, SecretsManager.py): a refusal is
an object with ``Status`` and ``Message``, which the SDK raises as ``SecretsManagerError``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgecore.core.group import Function, SecretResource

CURRENT = "AWSCURRENT"
"""The staging label that is meant where a function names none."""
_SUFFIX_CHARACTERS = 7
"""Secrets Manager ends an ARN with a hyphen and six characters of its own."""


@dataclass(frozen=True, kw_only=True)
class SecretValue:
    """One version of one secret; exactly one of ``text`` and ``binary`` (base64) is set."""

    arn: str
    name: str
    version_id: str
    stages: tuple[str, ...] = (CURRENT,)
    created_ms: int = 0
    text: str | None = field(default=None, repr=False)
    binary: str | None = field(default=None, repr=False)


def name_of(arn: str) -> str:
    """The friendly name: what follows ``:secret:``, without Secrets Manager's own suffix."""
    name = arn.partition(":secret:")[2] or arn
    return name[:-_SUFFIX_CHARACTERS] if name[-_SUFFIX_CHARACTERS:-6] == "-" else name


def answer(
    request: bytes,
    function: Function | None,
    resources: Iterable[SecretResource],
    values: Iterable[SecretValue],
) -> bytes:
    """V1's rule: a function reads the secrets that its ResourceAccessPolicies name."""
    try:
        asked = json.loads(request)
        wanted = str(asked["SecretId"])
    except (ValueError, KeyError, TypeError):
        return _refusal(400, "SecretId is missing; pass the secret's ARN or its name")
    resource = next((r for r in resources if wanted in (r.arn, name_of(r.arn), r.name)), None)
    if resource is None:
        return _refusal(404, f"{wanted}: no secret resource of the group has this ARN or name")
    if function is None or all(a.resource_id != resource.id for a in function.access):
        return _refusal(
            403,
            f"{wanted}: the function may not read it; add resource {resource.id!r} to its "
            "ResourceAccessPolicies",
        )
    stage = str(asked.get("VersionStage") or CURRENT)
    for value in values:
        if value.arn == resource.arn and stage in value.stages:
            return json.dumps(_shown(value)).encode()
    return _refusal(
        404,
        f"{wanted}: this core has no version {stage} of it; start the core with --secrets FILE, or "
        "with --join and a role that may read it",
    )


def _shown(value: SecretValue) -> Mapping[str, Any]:
    content = {"SecretString": value.text} if value.text is not None else {
        "SecretBinary": value.binary
    }  # fmt: skip
    return {
        "ARN": value.arn,
        "Name": value.name,
        "VersionId": value.version_id,
        "VersionStages": list(value.stages),
        "CreatedDate": value.created_ms,
        **content,
    }


def _refusal(status: int, message: str) -> bytes:
    return json.dumps({"Status": status, "Message": message}).encode()


def to_json(values: Iterable[SecretValue]) -> bytes:
    """As the encrypted store keeps them."""
    return json.dumps([asdict(value) for value in values]).encode()


def from_json(content: bytes) -> list[SecretValue]:
    """Raises ValueError, TypeError for what ``to_json`` did not write."""
    return [
        SecretValue(**{**each, "stages": tuple(each["stages"])}) for each in json.loads(content)
    ]


def from_file(content: Any, resources: Iterable[SecretResource]) -> list[SecretValue]:
    """The values of ``--secrets FILE``: text, or an object as Secrets Manager answers it.

    Keys are ARNs or names; what the group does not name stays out. Raises ValueError with the
    key, never with its value.
    """
    if not isinstance(content, dict):
        raise ValueError("must be an object: {NAME: VALUE}")  # noqa: TRY004 - one kind for bad input
    found = []
    for resource in resources:
        for key in (resource.arn, name_of(resource.arn), resource.name):
            if key in content:
                found.append(_of_file(key, content[key], resource))
                break
    return found


def _of_file(key: str, given: Any, resource: SecretResource) -> SecretValue:
    entry = {"SecretString": given} if isinstance(given, str) else given
    if not isinstance(entry, dict):
        raise ValueError(f"{key}: must be text, or an object with SecretString or SecretBinary")  # noqa: TRY004
    text, binary = entry.get("SecretString"), entry.get("SecretBinary")
    if (text is None) == (binary is None) or not isinstance(text or binary or "", str):
        raise ValueError(f"{key}: needs exactly one of SecretString and SecretBinary, as text")
    if binary is not None:
        try:
            base64.b64decode(binary, validate=True)
        except ValueError as error:
            raise ValueError(f"{key}: SecretBinary is not base64") from error
    stages = tuple(str(s) for s in entry.get("VersionStages") or (CURRENT, *resource.stages))
    return SecretValue(arn=resource.arn, name=name_of(resource.arn), stages=stages, text=text,
        binary=binary, version_id=str(entry.get("VersionId") or "file"))  # fmt: skip
