"""Which resource of a CloudFormation template needs which: pure functions on the JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SUB = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}")

Template = Mapping[str, Mapping[str, Any]]


def order(resources: Template) -> list[str]:
    """Logical ids, each after everything that it refers to; ties in the template's order.

    Raises ValueError naming the circle when the references have one.
    """
    done: dict[str, None] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in path:
            raise ValueError(
                f"circular dependency: {' → '.join([*path[path.index(name) :], name])}"
            )
        path.append(name)
        for needed in sorted(references(resources[name]) & resources.keys()):
            visit(needed)
        path.pop()
        done[name] = None

    for name in resources:
        visit(name)
    return list(done)


def references(resource: Mapping[str, Any]) -> set[str]:
    """Every name in `DependsOn`, `Ref`, `Fn::GetAtt` and `Fn::Sub` of one resource."""
    depends_on = resource.get("DependsOn", [])
    explicit = {depends_on} if isinstance(depends_on, str) else set(depends_on)
    return explicit | set(_referenced(resource.get("Properties", {})))


def _referenced(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _intrinsic(value)
        for inner in value.values():
            yield from _referenced(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _referenced(inner)


def _intrinsic(value: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(ref := value.get("Ref"), str):
        yield ref
    attribute = value.get("Fn::GetAtt")
    if isinstance(attribute, str):
        yield attribute.partition(".")[0]
    elif isinstance(attribute, list):
        yield attribute[0]
    sub = value.get("Fn::Sub")
    text = sub[0] if isinstance(sub, list) else sub
    if isinstance(text, str):
        yield from _SUB.findall(text)
