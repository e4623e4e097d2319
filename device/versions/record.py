"""Which version of the core runs: what is durable about it, and what follows from it.

`versions.json` (docs/spec/launcher.md) is replaced by rename, so a power cut leaves the old or the
new one. A new version is on trial until its core has answered /ready; each start of a trial is
counted before it is made, so one that takes the machine down with it is not started for ever.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

FORMAT = 1
TRIAL_STARTS = 3


class VersionsError(Exception):
    """`versions.json` cannot be used; which, why and the remedy, in one line."""


@dataclass(frozen=True)
class Versions:
    """`proved` was ready once; `trial` is newer and not yet; `starts`: how often it was tried."""

    proved: str | None = None
    trial: str | None = None
    starts: int = 0

    @property
    def current(self) -> str | None:
        """The version to start now."""
        return self.trial or self.proved

    @property
    def exhausted(self) -> bool:
        """The trial had its starts. Without a version to go back to it goes on for ever."""
        return self.trial is not None and self.proved is not None and self.starts >= TRIAL_STARTS

    def begun(self) -> Versions:
        """A start of the version on trial, counted before it is made."""
        return replace(self, starts=self.starts + 1) if self.trial else self

    def ready(self) -> Versions:
        """The running version has answered /ready."""
        return Versions(proved=self.current)

    def refused(self) -> Versions:
        """The version on trial was not ready in time: back, where there is a way back."""
        return Versions(proved=self.proved) if self.proved else self

    def offered(self, version: str) -> Versions:
        """A new version is installed and goes on trial with the next start."""
        return Versions(proved=self.proved, trial=version)


def read(path: Path) -> Versions:
    """Raises VersionsError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("v") != FORMAT:
            raise VersionsError(f"{path}: written by another launcher; install the bundle again")
        return Versions(**content)
    except FileNotFoundError:
        return Versions()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise VersionsError(
            f"{path}: cannot be read ({error}); install the bundle again"
        ) from error


def remove(name: str, versions: Path, launcher: Path) -> None:
    """A version that will not run again here, unless another site of this device has it.

    A version is 355 MB; `launcher`: this site's folder, beside those of the others.
    """
    for file in launcher.parent.parent.glob(f"*/{launcher.name}/versions.json"):
        try:
            kept = read(file)
        except VersionsError:
            return  # nobody knows what that site runs
        if name in (kept.proved, kept.trial):
            return
    shutil.rmtree(str(versions / name), ignore_errors=True)


def write(path: Path, versions: Versions) -> None:
    write_durably(path, json.dumps({"v": FORMAT, **asdict(versions)}) + "\n")


def write_durably(path: Path, text: str) -> None:
    """All of `text` or what was there before, also after a power cut."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    folder = os.open(str(path.parent), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
