"""Disks that are really full: small tmpfs, where this user may mount one."""

from __future__ import annotations

import subprocess

import pytest


@pytest.fixture
def disk_of(tmp_path):
    """Mounts a disk of so many MiB and gives its folder."""
    mounted = []

    def disk_of(mib):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            pytest.skip("mounting a tmpfs needs root: " + done.stderr.decode().strip())
        mounted.append(folder)
        return folder

    yield disk_of
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(disk_of):
    return disk_of(2)
