"""Where things are: the project, its sites, and the interpreters of the device."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from fanfold.errors import CliError, ExitCode

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_STATE = Path(".fanfold/core")
DEVICE_RUNTIME = "python3.8"


def sites() -> Path:
    """The user's own `sites/` in the current folder, or the project's."""
    return _own_or_project("sites")


def profiles() -> Path:
    return _own_or_project("device_profiles")


def _own_or_project(name: str) -> Path:
    own = Path(name)
    return own if own.is_dir() else PROJECT / name


def site_file(site: str) -> Path:
    """`demo` or `sites/demo.yaml` → the file; the error lists what there is."""
    given = Path(site)
    if given.suffix in {".yaml", ".yml"}:
        return given
    found = sites() / f"{site}.yaml"
    if found.is_file():
        return found
    there = ", ".join(sorted(path.stem for path in sites().glob("*.yaml"))) or "none"
    raise CliError(
        f"no site {site!r}: {found} does not exist (sites here: {there})",
        "name one of these, or write a new file; docs/guides/tutorial.md shows how",
        ExitCode.INVALID,
    )


def runs(python: str | Path, statement: str = "pass", timeout_s: float = 30) -> bool:
    """Whether that interpreter really starts: a pyenv shim may exist and refuse to."""
    try:
        done = subprocess.run(
            [str(python), "-c", statement],
            capture_output=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def device_python() -> Path | None:
    """The interpreter for `python3.8` functions: $FANFOLD_DEVICE_PYTHON, the project's
    device environment, then PATH."""
    candidates = [
        os.environ.get("FANFOLD_DEVICE_PYTHON"),
        str(Path(".venv-device/bin/python").absolute()),
        str(PROJECT / ".venv-device/bin/python"),
        shutil.which(DEVICE_RUNTIME),
    ]
    return next((Path(found) for found in candidates if found and runs(found)), None)


def need_device_python() -> Path:
    found = device_python()
    if found is None:
        raise CliError(
            "no Python for the device code: neither .venv-device/bin/python nor python3.8 runs",
            "run `make setup`, or name one in FANFOLD_DEVICE_PYTHON",
            ExitCode.MISSING,
        )
    return found
