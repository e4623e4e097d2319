"""mypy reads the types of the CDK that this project uses, not its three hundred other modules."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from import_graph import PROJECT

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no reader of pyproject.toml")


def test_every_service_that_a_stack_uses_is_read_with_its_types() -> None:
    used = {name for path in (PROJECT / "infra").rglob("*.py") for name in _services(path)}
    assert "aws_cdk.aws_iam" in used
    assert used <= _followed()


def _services(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "aws_cdk":
            found |= {f"aws_cdk.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name for name in found if name.startswith("aws_cdk.aws_")}


def _followed() -> set[str]:
    """By an override of mypy's that names it."""
    overrides = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    return {
        module
        for override in overrides
        if override.get("follow_imports") == "silent"
        for module in override["module"]
    }
