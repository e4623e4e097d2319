"""How a site gets a model, and goes back: by the verbs that a person would type for it.

`fanfold deploy` and `fanfold rollback` know every target's own way (CDK, IoT job), so a target
that they learn is one that a rollout has. What they print is kept beside the record.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fanfold.common.errors import FAILED

_FAILED = "fanfold: "
_KEPT_CHARACTERS = 600


@dataclass(frozen=True)
class Ran:
    """How a verb ended; `said` is its reason where the exit code is not 0."""

    code: int
    said: str = ""


class Ways(Protocol):
    """Called from several threads at once, for different sites."""

    def deploy(self, site: str, model: str) -> Ran: ...

    def go_back(self, site: str, version: str) -> Ran: ...


@dataclass(frozen=True)
class Verbs:
    """The verbs as processes of their own; `logs` gets one file for each site."""

    logs: Path
    wait_s: int
    aws: bool
    allow_older: bool = False

    def deploy(self, site: str, model: str) -> Ran:
        older = ["--allow-older-model"] if self.allow_older else []
        this_box = ["--core", Path(site).stem]
        return self._run(site, ["deploy", site, *this_box, "--model", model, *older])

    def go_back(self, site: str, version: str) -> Ran:
        return self._run(site, ["rollback", site, "--to", version, "--yes", "--allow-older-model"])

    def _run(self, site: str, arguments: Sequence[str]) -> Ran:
        command = [*arguments, "--wait-s", str(self.wait_s), *(["--aws"] if self.aws else [])]
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{Path(site).stem}.log"
        with log.open("a+b") as out:
            start = out.tell()
            out.write(f"$ fanfold {' '.join(command)}\n".encode())
            out.flush()
            done = subprocess.run(
                [sys.executable, "-m", "fanfold", *command],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
            )  # fmt: skip
            out.seek(start)
            said = out.read().decode(errors="replace")
        return Ran(done.returncode, _reason(said, log) if done.returncode else "")


def _reason(said: str, log: Path) -> str:
    """The verb's own sentence, which it says last."""
    _, found, sentence = said.rpartition(_FAILED)
    words = " ".join((sentence if found else said).split())[:_KEPT_CHARACTERS]
    return f"{words or f'exit code {FAILED}'} (all of it: {log})"
