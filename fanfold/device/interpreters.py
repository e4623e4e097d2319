"""Which interpreter runs the Lambdas: the device environment, else the one that runs Fanfold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fanfold.common.project import PROJECT, root
from infra.where import INSTALLED

RUNTIME = "python3.8"


def device_python() -> Path | None:
    """The device environment's interpreter: of the working folder, else of the project.

    Installed from a wheel there is none but the one that runs this: the extras `onnxruntime` and
    `openvino` give it what models need.
    """
    for folder in (Path.cwd(), root(), PROJECT):
        path = folder / ".venv-device" / "bin" / "python"
        if path.exists():
            return path.absolute()
    return Path(sys.executable) if INSTALLED else None


def version_of(python: Path) -> str | None:
    """`3.8.18`, or None when the interpreter does not run."""
    return answer(python, "import platform; print(platform.python_version())")


def has_module(python: Path, name: str) -> str | None:
    """The version of an importable module, or None."""
    return answer(python, f"import {name} as m; print(getattr(m, '__version__', 'present'))")


def answer(python: Path, code: str) -> str | None:
    """What a line of Python prints under an interpreter, or None when it fails."""
    try:
        done = subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
