"""Clients that other people published: where they are once `make setup` has fetched them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from checkout import PROJECT

CLIENTS = Path(__file__).parent / "clients"
"""Programs of ours that use them as their documentation says."""
_OLDER = PROJECT / "build" / "clients"


def node_modules(package: str) -> Path:
    """The folder with `package` of npm, or of the one that FANFOLD_NODE_SDK names."""
    if shutil.which("node") is None:
        pytest.skip("no Node.js on this machine")
    found = Path(os.environ.get("FANFOLD_NODE_SDK") or PROJECT / "node_modules")
    if not (found / package).is_dir():
        pytest.skip(f"{package} is not in {found}: run `make setup`")
    return found


def copy_package(package: str, target: Path) -> None:
    """`package` of npm and what it depends on, as a function's own node_modules."""
    modules = node_modules(package)
    wanted = [package]
    for name in wanted:
        shutil.copytree(modules / name, target / name)
        needs = json.loads((modules / name / "package.json").read_text()).get("dependencies", {})
        wanted += [each for each in needs if each not in wanted and (modules / each).is_dir()]


def older(package: str) -> Path:
    """The folder with that package of constraints/clients.txt, for PYTHONPATH."""
    if not (_OLDER / package).is_dir():
        pytest.skip(f"{package} is not in {_OLDER}: run `make setup`")
    return _OLDER


def source_of(project: str) -> Path:
    """The source archive of a project of constraints/clients.txt."""
    found = sorted((_OLDER / "sources").glob(f"{project}-*.tar.gz"))
    if not found:
        pytest.skip(f"the source of {project} is not in {_OLDER}: run `make setup`")
    return found[0]
