"""Nothing of the core is imported before a test asks: `runtime/` runs on the device's Python."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def site(tmp_path: Path):
    from core_site import DEVICE_PYTHON, Site

    from edgecore.supervisor.interpreters import probe

    if not DEVICE_PYTHON.exists() or probe(os.fspath(DEVICE_PYTHON)) is None:
        pytest.skip("no .venv-device: run `make setup`")
    made = Site(tmp_path)
    yield made
    made.stop()
