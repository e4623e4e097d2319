"""NVIDIA's two libraries for a machine that a test describes, built by gcc."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from shims import shim


def uuid(letter: str) -> str:
    """`GPU-aaaaaaaa-…` for "a"."""
    return f"GPU-{letter * 8}-{letter * 4}-{letter * 4}-{letter * 4}-{letter * 12}"


def mig(letter: str) -> str:
    return uuid(letter).replace("GPU-", "MIG-")


#: Four cards whose index is not their minor, and whose slowest comes first.
FOUR = (
    f"{uuid('a')} 0000:18:00.0 2 81920 1 - A100\n"
    f"{uuid('b')} 0000:3B:00.0 3 81920 2 - A100\n"
    f"{uuid('c')} 0000:86:00.0 0 15360 4 - T4\n"
    f"{uuid('d')} 0000:AF:00.0 1 15360 3 - T4\n"
)
#: A card cut into two slices, and a whole one.
SLICED = (
    f"{uuid('a')} 0000:18:00.0 1 81920 2 mig,{mig('1')}:19968,{mig('2')}:40192 A100\n"
    f"{uuid('b')} 0000:3B:00.0 0 81920 1 - A100\n"
)


class FakeDriver(NamedTuple):
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {"LD_LIBRARY_PATH": str(self.folder)}


def fake_driver(folder: Path, cards: str = FOUR) -> FakeDriver:
    """`cards`: lines as `shims/nvidia_ml.c` describes them, in PCI order."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, library in (("nvidia_ml", "libnvidia-ml.so.1"), ("cuda_driver", "libcuda.so.1")):
        shutil.copy(str(shim(source)), str(folder / library))
    (folder / "cards.txt").write_text(cards)
    return FakeDriver(folder)


def proc_files(root: Path, cards: str = FOUR) -> Path:
    """What the kernel driver tells of the same cards in `/proc`, below `root`."""
    for line in cards.splitlines():
        name, pci, minor, *_, model = line.split()
        folder = root / "proc/driver/nvidia/gpus" / pci.lower()
        folder.mkdir(parents=True)
        (folder / "information").write_text(
            f"Model: \t\t {model}\nIRQ:   \t\t 16\nGPU UUID: \t {name}\n"
            f"Bus Type: \t PCIe\nBus Location: \t {pci.lower()}\nDevice Minor: \t {minor}\n"
        )
    return root
