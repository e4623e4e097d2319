"""System calls of other processes that fail when a test says so (`tests/kit/shims/faults.c`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from shims import shim

CALLS = ("open", "read", "write", "fsync", "truncate", "rename", "unlink", "link")


class FaultyCalls:
    """`environment` is for the processes; nothing fails until somebody says so."""

    def __init__(self, control: Path) -> None:
        self._control = control
        self.environment = {"LD_PRELOAD": str(shim("faults")), "FAULTS_FILE": str(control)}
        self.none()

    def none(self) -> None:
        """From now on everything works."""
        self._write("")

    def always(self, folder: Path, error: int, calls: str = "*") -> None:
        """Every call below `folder` fails."""
        self._write(f"{calls} {error} 0 {folder}\n")

    def everywhere(self, folders: Iterable[Path], error: int, calls: str = "*") -> None:
        """As `always`, below each of several folders and not beside them."""
        self._write("".join(f"{calls} {error} 0 {folder}/\n" for folder in folders))

    def nth(self, folder: Path, error: int, number: int, calls: str = "*") -> None:
        """The `number`-th call from now on fails, once, in whichever process."""
        self._count.write_bytes(bytes(8))
        self._write(f"{calls} {error} {number} {folder}\n")

    def counted(self) -> int:
        """How many such calls there were since `nth`."""
        return int.from_bytes(self._count.read_bytes(), "little")

    @contextlib.contextmanager
    def while_failing(self, folder: Path, error: int, calls: str = "*") -> Iterator[None]:
        self.always(folder, error, calls)
        try:
            yield
        finally:
            self.none()

    @property
    def _count(self) -> Path:
        return self._control.with_name(self._control.name + ".count")

    def _write(self, line: str) -> None:
        beside = self._control.with_name(self._control.name + ".new")
        beside.write_text(line)
        beside.replace(self._control)
