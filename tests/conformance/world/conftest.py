"""Groups of our own writing in the shapes that public V1 groups have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from core_site import DEVICE_PYTHON, Site

from edgecore.supervisor.interpreters import probe


@pytest.fixture
def site(tmp_path: Path):
    if not DEVICE_PYTHON.exists() or probe(os.fspath(DEVICE_PYTHON)) is None:
        pytest.skip("no .venv-device: run `make setup`")
    made = Site(tmp_path)
    yield made
    made.stop()
