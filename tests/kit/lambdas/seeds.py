"""Seeds of a simulation, some of them in the short form."""

from __future__ import annotations

import pytest


def seeds(here, all_of_them):
    """The first few of them; `make soak` runs the others too."""
    later = [pytest.param(seed, marks=pytest.mark.soak) for seed in range(here, all_of_them)]
    return pytest.mark.parametrize("seed", [*range(here), *later])
