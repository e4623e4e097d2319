"""What a role's own policies allow; moto enforces none of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def may(
    account: str,
    role_arn: str,
    action: str,
    resource: str,
    variables: Mapping[str, str] | None = None,
) -> bool:
    """Whether an inline policy of the role allows `action` on `resource`.

    `variables`: what `${NAME}` in a policy stands for, for this session.
    """
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.iam.models import iam_backends

    backend: Any = iam_backends[account]["aws"]
    role = role_arn.rpartition("/")[2]
    verdicts = []
    for name in backend.list_role_policies(role):
        _, document = backend.get_role_policy(role, name)
        text = document if isinstance(document, str) else json.dumps(document)
        for variable, value in (variables or {}).items():
            text = text.replace(f"${{{variable}}}", value)
        verdicts.append(IAMPolicy(text).is_action_permitted(action, resource))
    denied = PermissionResult.DENIED in verdicts
    return PermissionResult.PERMITTED in verdicts and not denied
