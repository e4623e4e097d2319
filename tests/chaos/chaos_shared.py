"""One running plant for rows that leave it as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chaos_core import DEVICE_PYTHON
from chaos_plant import Plant


def new_plant(folder: Path, **options: Any) -> Plant:
    if not DEVICE_PYTHON.exists():
        pytest.skip("no .venv-device: run `make setup`")
    return Plant(folder, **options)


class Shared:
    """A running plant for the rows of a module, in any order. A row that fails leaves what it met
    to nobody: the next one has a plant of its own."""

    def __init__(self, make: Callable[[], Plant]) -> None:
        self._make = make
        self._plant: Plant | None = None

    def __call__(self) -> Plant:
        if self._plant is None or not self._plant.sound:
            self.stop()
            self._plant = self._make()
            self._plant.start()
        self._plant.begin_row()
        return self._plant

    def stop(self) -> None:
        if self._plant is not None:
            self._plant.stop()
