"""What AWS IoT policies allow: pure functions on their JSON.

Explicit deny wins over allow, and what nothing allows is denied. `*` is any run of characters
and `?` one; MQTT's `+` and `#` are plain characters here.
Source: docs.aws.amazon.com, IoT developer guide, "AWS IoT Core policies" and its variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
Context = Mapping[str, str | Sequence[str]]
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_ESCAPES = {"${*}": "*", "${?}": "?", "${$}": "$"}
UNSAFE = frozenset("*$+?#")
"""A thing's value with one of these is not put into a policy."""
LONGEST_VALUE = 1024


@dataclass(frozen=True)
class Request:
    """`action` such as `iot:Publish`, `resource` an ARN."""

    action: str
    resource: str


def allows(policies: Iterable[Document], request: Request, context: Context) -> bool:
    """Whether these policies together let the request pass."""
    allowed = False
    for policy in policies:
        for statement in _listed(policy.get("Statement", [])):
            if _applies(statement, request, context):
                if statement.get("Effect") == "Deny":
                    return False
                allowed = allowed or statement.get("Effect") == "Allow"
    return allowed


def _applies(statement: Document, request: Request, context: Context) -> bool:
    return (
        _names(statement, "Action", request.action, context, fold=True)
        and _names(statement, "Resource", request.resource, context)
        and _conditions(statement.get("Condition", {}), context)
    )


def _names(
    statement: Document, what: str, value: str, context: Context, *, fold: bool = False
) -> bool:
    flags = re.IGNORECASE if fold else 0

    def any_of(patterns: Any) -> bool:
        return any(matcher(p, context, flags)(value) for p in _listed(patterns))

    if f"Not{what}" in statement:
        return not any_of(statement[f"Not{what}"])
    return any_of(statement.get(what, []))


def matcher(pattern: str, context: Context, flags: int = 0) -> Callable[[str], bool]:
    """Whether a text fits; a variable's value is literal, one without a value stays as text."""
    parts: list[str] = []
    last = 0
    for found in _VARIABLE.finditer(pattern):
        parts.append(_glob(pattern[last : found.start()]))
        parts.append(re.escape(_value(found[0], found[1], context)))
        last = found.end()
    parts.append(_glob(pattern[last:]))
    compiled = re.compile("".join(parts), flags | re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def _value(text: str, name: str, context: Context) -> str:
    if text in _ESCAPES:
        return _ESCAPES[text]
    value = context.get(name)
    if not isinstance(value, str) or len(value) > LONGEST_VALUE:
        return text
    if name.startswith("iot:Connection.Thing.") and UNSAFE & set(value):
        return text
    return value


def _glob(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _conditions(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    return all(
        _condition(operator, key, _listed(wanted), context)
        for operator, tests in conditions.items()
        for key, wanted in tests.items()
    )


def _condition(operator: str, key: str, wanted: list[Any], context: Context) -> bool:
    quantifier, _, plain = operator.rpartition(":")
    optional = plain.endswith("IfExists")
    test = _TESTS.get(plain.removesuffix("IfExists"))
    if test is None:  # an unknown operator never holds: what is not understood is not allowed
        return False
    given = context.get(key)
    if plain == "Null":
        return str(given is None).lower() == str(wanted[0]).lower()
    if given is None:
        return optional or quantifier == "ForAllValues"
    values = [given] if isinstance(given, str) else list(given)
    found = [test(value, [str(each) for each in wanted], context) for value in values]
    return any(found) if quantifier == "ForAnyValue" else all(found)


def _equals(value: str, wanted: list[str], context: Context) -> bool:
    return value in [_filled(each, context) for each in wanted]


def _like(value: str, wanted: list[str], context: Context) -> bool:
    return any(matcher(each, context)(value) for each in wanted)


def _bool(value: str, wanted: list[str], _context: Context) -> bool:
    return value.lower() in [each.lower() for each in wanted]


def _not(
    test: Callable[[str, list[str], Context], bool],
) -> Callable[[str, list[str], Context], bool]:
    return lambda value, wanted, context: not test(value, wanted, context)


def _filled(text: str, context: Context) -> str:
    return _VARIABLE.sub(lambda found: _value(found[0], found[1], context), text)


_TESTS: dict[str, Callable[[str, list[str], Context], bool]] = {
    "Bool": _bool,
    "Null": _bool,
    "StringEquals": _equals,
    "StringNotEquals": _not(_equals),
    "StringEqualsIgnoreCase": _bool,
    "StringLike": _like,
    "StringNotLike": _not(_like),
    "ArnEquals": _like,
    "ArnLike": _like,
    "ArnNotEquals": _not(_like),
    "ArnNotLike": _not(_like),
}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
