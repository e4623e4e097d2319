"""The core as a process comes from the tests of the core itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from core_site import DEVICE_PYTHON, Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if not DEVICE_PYTHON.exists():
        pytest.skip("no .venv-device: run `make setup`")
    made = Site(tmp_path)
    yield made
    made.stop()
