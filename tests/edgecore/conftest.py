"""Nothing of the core is imported before a test asks: `runtime/` runs on the device's Python."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def site(tmp_path: Path):
    from core_site import device_site

    with device_site(tmp_path) as made:
        yield made
