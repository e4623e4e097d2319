"""A template's ``Conditions``, decided: ``Fn::If`` becomes a value, the rest is left out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanfold.common.errors import INVALID, UserError

Json = dict[str, Any]
_NO_VALUE = {"Ref": "AWS::NoValue"}
MAX_DEPTH = 32


def decided(template: Json, resolve: Callable[[Any], Any]) -> Json:
    """``resolve``: the value of what is compared. Raises UserError for an unknown condition."""
    conditions = template.get("Conditions") or {}

    def holds(value: Any, depth: int = 0) -> bool:
        if depth > MAX_DEPTH:
            raise UserError("template: its conditions refer to themselves", INVALID)
        kind, argument = next(iter(value.items()))
        if kind == "Condition":
            return named(argument, depth + 1)
        if kind == "Fn::Equals":
            return str(resolve(argument[0])) == str(resolve(argument[1]))
        if kind == "Fn::Not":
            return not holds(argument[0], depth + 1)
        if kind in ("Fn::And", "Fn::Or"):
            combined = all if kind == "Fn::And" else any
            return combined(holds(each, depth + 1) for each in argument)
        raise UserError(f"template: {kind} is no condition", INVALID)

    def named(name: str, depth: int = 0) -> bool:
        if name not in conditions:
            raise UserError(f"template: has no condition {name!r}", INVALID)
        return holds(conditions[name], depth)

    def without(value: Any) -> Any:
        if isinstance(value, list):
            return [w for each in value if (w := without(each)) != _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Fn::If"}:
            name, yes, no = value["Fn::If"]
            return without(yes if named(name) else no)
        return {k: w for k, each in value.items() if (w := without(each)) != _NO_VALUE}

    resources = {
        name: without({k: v for k, v in resource.items() if k != "Condition"})
        for name, resource in (template.get("Resources") or {}).items()
        if "Condition" not in resource or named(resource["Condition"])
    }
    return {**template, "Resources": resources}
