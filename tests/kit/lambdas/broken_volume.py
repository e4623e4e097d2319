"""A volume that processes of a pool cannot read for a while, as a disk or a mount would have it.

They are started by an interpreter of their own that refuses to open one file, with EIO.
"""

import sys
import time
from pathlib import Path

EIO = """#!{python}
import errno, os, runpy, sys
sys.argv[:2] = []
really = os.open

def opened(path, *more, **named):
    if path == {name!r}:
        with open({attempts!r}, "ab") as file:
            file.write(b".")
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)
    return really(path, *more, **named)

def opened_unless_mended(path, *more, **named):
    return (really if os.path.exists({mended!r}) else opened)(path, *more, **named)

os.open = opened_unless_mended
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


class Volume:
    def __init__(self, folder, monkeypatch):
        self._attempts, self._mended = folder / "attempts", folder / "mended"
        self._attempts.write_bytes(b"")
        self._python = folder / "python"
        monkeypatch.setenv("FANFOLD_POOL_PYTHON", str(self._python))

    def break_(self, path):
        """The file at `path` cannot be read from now on."""
        self._python.write_text(
            EIO.format(
                python=sys.executable, name=Path(path).name, attempts=str(self._attempts),
                mended=str(self._mended),
            )
        )  # fmt: skip
        self._python.chmod(0o755)

    def wait_for_attempts(self, count, deadline_s=60):
        end = time.monotonic() + deadline_s
        while self._attempts.stat().st_size < count:
            assert time.monotonic() < end, f"{self._attempts.stat().st_size} of {count} attempts"
            time.sleep(0.05)

    def mend(self):
        self._mended.write_bytes(b"")
