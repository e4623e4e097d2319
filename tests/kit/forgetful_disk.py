"""Power cuts: an ext4 on a disk that forgets what was not flushed (`shims/forgetful_disk.c`)."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from shims import SOURCES
from waiting import eventually

SIZE = "400M"
NEEDED = ("gcc", "pkg-config", "mkfs.ext4", "losetup", "mount")


def _run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


class ForgetfulDisk:
    """Mounted at `folder / "volume"` from the start on; `cut` and `close` unmount it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.volume = folder / "volume"
        self._fuse = folder / "fuse"
        self._process: subprocess.Popen[bytes] | None = None
        self._device = ""
        for path in (self.volume, self._fuse):
            path.mkdir(parents=True)
        self._build()
        image = folder / "image"
        _run("truncate", "-s", SIZE, str(image))
        _run("mkfs.ext4", "-q", "-F", str(image))
        self._attach(image)

    def _build(self) -> None:
        """Skips the test where a file system in user space cannot be had."""
        missing = [tool for tool in NEEDED if shutil.which(tool) is None]
        if missing or os.geteuid() or not Path("/dev/fuse").exists():
            pytest.skip(f"needs root, /dev/fuse and {', '.join(missing or NEEDED)}")
        flags = _run("pkg-config", "--cflags", "--libs", "fuse3", check=False).split()
        if not flags:
            pytest.skip("needs the headers of libfuse 3 (libfuse3-dev)")
        source = str(SOURCES / "forgetful_disk.c")
        _run("gcc", "-O1", "-o", str(self._folder / "forgetful_disk"), source, *flags, "-lpthread")

    def _attach(self, image: Path) -> None:
        for name in ("seen", "kept"):
            _run("cp", "--sparse=always", str(image), str(self._folder / name))
        self._process = subprocess.Popen(
            [str(self._folder / "forgetful_disk"), "-f", "-s", str(self._fuse)],
            env={**os.environ, "FORGETFUL_FOLDER": str(self._folder)},
        )
        disk = self._fuse / "disk"
        eventually(disk.exists, "the file system in user space")
        self._device = _run("losetup", "-f", "--show", str(disk))
        _run("mount", self._device, str(self.volume))

    def power_fails(self, seed: int, share: float) -> None:
        """What is on the disk at this moment; goes on running until `restart`."""
        line = f"{seed} {share} {self._folder / 'left'}"
        descriptor = os.open(self._fuse / "cut", os.O_WRONLY)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def restart(self) -> None:
        """The machine comes back with what the power failure left."""
        self.close()
        left = self._folder / "left"
        left.replace(self._folder / "image")
        self._attach(self._folder / "image")

    def sync(self) -> None:
        os.sync()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            _run("umount", "-l", str(self.volume))
        if self._device:
            # The loop device goes when the last user of the mount has gone.
            _run("losetup", "-d", self._device, check=False)
            self._device = ""
        _run("umount", "-l", str(self._fuse), check=False)
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None
