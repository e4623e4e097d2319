"""Finding things in a synthesized template."""

from __future__ import annotations

from typing import Any


def of_type(template: dict[str, Any], resource_type: str) -> dict[str, dict[str, Any]]:
    """Logical id → properties of every resource of a type."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == resource_type
    }


def the(template: dict[str, Any], resource_type: str) -> dict[str, Any]:
    """Properties of the only resource of a type."""
    (properties,) = of_type(template, resource_type).values()
    return properties


def version_ids(template: dict[str, Any]) -> set[str]:
    """Logical ids of the Greengrass versions, which carry the hash of their content."""
    return {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"].startswith("AWS::Greengrass::") and "Version" in resource["Type"]
    }


def statements(role: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Statements of a role's inline policies by their Sid."""
    return {
        statement.get("Sid", ""): statement
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    }
