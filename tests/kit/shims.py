"""C libraries that stand between a process and the kernel, built for the test by gcc."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

SOURCES = Path(__file__).with_name("shims")


def shim(name: str) -> Path:
    """`tests/kit/shims/{name}.c` as a library for LD_PRELOAD. Skips where there is no gcc."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip(f"no gcc on PATH: {name}.c cannot be built")
    return _built(gcc, name)


@functools.lru_cache(maxsize=8)
def _built(gcc: str, name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fanfold-shim-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = folder / f"{name}.so"
    command = [gcc, "-shared", "-fPIC", "-O1", "-o", str(library)]
    subprocess.run([*command, str(SOURCES / f"{name}.c"), "-ldl", "-lpthread"], check=True)
    library.parent.chmod(0o755)
    return library
