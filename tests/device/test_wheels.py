"""The wheels of a bundle: Fanfold's own, and those that are kept from an earlier one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contract.digests import sha256_of
from device.bundle.target import Target
from device.bundle.wheels import WheelsError, build_own, download

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


def test_a_wheel_that_is_there_with_its_hash_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "kept-1.0-py3-none-any.whl"
    wheel.write_bytes(b"as it was fetched")
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"kept==1.0 --hash=sha256:{'0' * 64} --hash=sha256:{sha256_of(wheel)}\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # what is asked for cannot be had
    target = Target("x86_64", "3.11", "onnxruntime")

    download(wanted, target, tmp_path)

    assert wheel.read_bytes() == b"as it was fetched"
    wheel.write_bytes(b"as it was not")
    with pytest.raises(WheelsError, match=r"kept==1\.0"):
        download(wanted, target, tmp_path)
