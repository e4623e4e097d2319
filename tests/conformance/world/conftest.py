"""Groups of our own writing in the shapes that public V1 groups have."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_site import device_site


@pytest.fixture
def site(tmp_path: Path):
    with device_site(tmp_path) as made:
        yield made
