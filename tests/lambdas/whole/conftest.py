from __future__ import annotations

import pytest
from backups import Plant


@pytest.fixture
def plant(tmp_path):
    plant = Plant(tmp_path)
    yield plant
    plant.sim.close()
