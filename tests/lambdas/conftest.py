from __future__ import annotations

import contextlib

import pytest
from small_disks import small_disk_at


@pytest.fixture
def disk_of(tmp_path):
    """Mounts a disk of so many MiB and gives its folder."""
    with contextlib.ExitStack() as mounted:
        names = (tmp_path / f"disk{n}" for n in range(100))
        yield lambda mib: mounted.enter_context(small_disk_at(next(names), mib))


@pytest.fixture
def small_disk(disk_of):
    return disk_of(2)
