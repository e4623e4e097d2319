"""What a nucleus reads in a recipe. Pure."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_MACHINES = {"x86_64": "amd64", "aarch64": "aarch64"}


class RecipeError(Exception):
    """The nucleus does not take the recipe; which component, and why."""


@dataclass(frozen=True)
class Phase:
    """`timeout_s` of a step that must end; a run has none."""

    script: str
    timeout_s: float


@dataclass(frozen=True)
class Component:
    """One component version as this device would run it."""

    name: str
    version: str
    phases: Mapping[str, Phase]
    artifacts: tuple[Mapping[str, Any], ...]
    soft: frozenset[str]


@dataclass(frozen=True)
class Folders:
    """Below the nucleus's root."""

    root: Path
    name: str
    version: str

    @property
    def work(self) -> Path:
        return self.root / "work" / self.name

    @property
    def artifacts(self) -> Path:
        return self.root / "packages" / "artifacts" / self.name / self.version

    @property
    def unpacked(self) -> Path:
        return self.root / "packages" / "artifacts-unarchived" / self.name / self.version


def read_recipe(recipe: Mapping[str, Any]) -> Component:
    """For this machine. Raises RecipeError."""
    name = str(recipe["ComponentName"])
    manifest = next((m for m in recipe["Manifests"] if _fits(m.get("Platform") or {})), None)
    if manifest is None:
        raise RecipeError(f"{name}: no manifest for this platform")
    lifecycle = manifest.get("Lifecycle") or {}
    if not {"run", "startup"} & set(lifecycle):
        raise RecipeError(f"{name}: neither run nor startup; the deployment would hang 300 s")
    dependencies = recipe.get("ComponentDependencies") or {}
    return Component(
        name=name,
        version=str(recipe["ComponentVersion"]),
        phases={key: _phase(section) for key, section in lifecycle.items()},
        artifacts=tuple(manifest.get("Artifacts") or ()),
        soft=frozenset(n for n, d in dependencies.items() if d.get("DependencyType") == "SOFT"),
    )


def _fits(wanted: Mapping[str, str]) -> bool:
    """nucleus lite wants `runtime` to be there."""
    here = {"os": "linux", "architecture": _MACHINES.get(platform.machine(), "?")}
    if "runtime" not in wanted:
        return False
    return all(wanted.get(key, "*") in ("*", value) for key, value in here.items())


def _phase(section: Any) -> Phase:
    if isinstance(section, str):
        return Phase(section, 120.0)
    return Phase(str(section["Script"]), float(section.get("Timeout") or 120))


def interpolate(script: str, folders: Folders, thing: str) -> str:
    """Every pair of braces is a variable. Raises RecipeError for one that is none."""
    known = {
        "artifacts:path": folders.artifacts,
        "artifacts:decompressedPath": folders.unpacked,
        "work:path": folders.work,
        "kernel:rootPath": folders.root,
        "iot:thingName": thing,
    }

    def value(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise RecipeError(f"{folders.name}: {found[0]} is no variable of a recipe")
        return str(known[found[1]])

    return _VARIABLE.sub(value, script)
