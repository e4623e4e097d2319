"""Fanfold's own wheel in a bundle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.bundle.wheels import build_own

BUILT_BY = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "fanfold"
version = "2.0"
[tool.hatch.build.targets.wheel]
include = ["code.py"]
"""


def test_the_wheel_just_built_is_taken_from_whatever_folder_the_command_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    (elsewhere / "own").mkdir(parents=True)
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text(BUILT_BY)
    (checkout / "code.py").write_text("")
    older = elsewhere / "own" / "fanfold-1.0-py3-none-any.whl"
    older.write_bytes(b"")
    os.utime(older, (1, 1))
    monkeypatch.chdir(elsewhere)

    built = build_own(checkout, Path("own"))

    assert (built.parent, built.name[:12]) == (elsewhere / "own", "fanfold-2.0-")
    assert built.stat().st_size
