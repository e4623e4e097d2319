"""What is synthesized while something else is still looked at, and deployed only after that.

`fanfold deploy` looks at the cloud while the CDK starts and the app runs: `Gate` is its side,
`passed` the app's. Whoever made the gate and ends, whatever the reason, has not opened it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

VARIABLE = "FANFOLD_SYNTH_GATE"
_GO = b"go"
_READERS = 32
"""The CDK may run the app more than once."""


def passed() -> bool:
    """Waits where there is a gate; False: it stays shut."""
    path = os.environ.get(VARIABLE)
    if not path:
        return True
    try:
        with Path(path).open("rb", buffering=0) as gate:
            return gate.read(len(_GO)) == _GO
    except OSError:
        return False


class Gate:
    """A named pipe: its other end is held open from the beginning, so nobody waits for nothing."""

    def __enter__(self) -> Gate:
        self._folder = tempfile.TemporaryDirectory(prefix="fanfold-gate-")
        self._path = Path(self._folder.name) / "gate"
        os.mkfifo(self._path, 0o600)
        self._held: int | None = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        return self

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: str(self._path)}

    def open(self) -> None:
        if self._held is not None:
            os.write(self._held, _GO * _READERS)

    def shut(self) -> None:
        """For good, unless it was opened before."""
        if self._held is not None:
            os.close(self._held)
            self._held = None
        self._folder.cleanup()

    def __exit__(self, *_: object) -> None:
        self.shut()
