"""Disks that are really full: a small tmpfs, where this user may mount one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SMALL_BYTES = 1 << 30


@contextlib.contextmanager
def small_disk_at(folder: Path, mib: int) -> Iterator[Path]:
    """A disk of so many MiB at `folder`, which is made; the test is skipped where none can be."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a tmpfs needs root: " + done.stderr.decode().strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Somebody else takes the last byte, in the file `other`. Never of a disk of this machine."""
    assert shutil.disk_usage(disk).total <= SMALL_BYTES, f"{disk} is no small disk of a test"
    with contextlib.suppress(OSError), (disk / "other").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
