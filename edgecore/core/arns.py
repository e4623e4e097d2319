"""Lambda function ARNs as Greengrass uses them. Pure."""

from __future__ import annotations

ROUTER_ARN = "arn:aws:lambda:::function:GGRouter"
SHADOW_ARN = "arn:aws:lambda:::function:GGShadowService"
SECRETS_ARN = "arn:aws:lambda:::function:GGSecretManager:1"
"""The service functions that the published SDK addresses: no region, no account."""

_UNQUALIFIED_PARTS = 7


def split_qualifier(arn: str) -> tuple[str, str]:
    """``arn:…:function:name[:qualifier]`` as (unqualified ARN, qualifier or "")."""
    parts = arn.split(":")
    head, rest = parts[:_UNQUALIFIED_PARTS], parts[_UNQUALIFIED_PARTS:]
    return ":".join(head), ":".join(rest)


def function_name(arn: str) -> str:
    """The name in a function ARN; the text itself where it is no ARN."""
    parts = arn.split(":")
    return parts[_UNQUALIFIED_PARTS - 1] if len(parts) >= _UNQUALIFIED_PARTS else arn


class ArnIndex:
    """Finds a deployed function by its qualified ARN, or by an unambiguous unqualified one."""

    def __init__(self, arns: tuple[str, ...]) -> None:
        self._exact = frozenset(arns)
        by_name: dict[str, list[str]] = {}
        for arn in arns:
            by_name.setdefault(split_qualifier(arn)[0], []).append(arn)
        self._unqualified = {name: found[0] for name, found in by_name.items() if len(found) == 1}

    def find(self, arn: str) -> str | None:
        """The deployed ARN that ``arn`` means; None where there is none or more than one."""
        return arn if arn in self._exact else self._unqualified.get(arn)
