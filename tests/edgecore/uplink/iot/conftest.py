from __future__ import annotations

import pytest
from own_ca import OwnCa


@pytest.fixture(scope="session")
def ca() -> OwnCa:
    return OwnCa()
