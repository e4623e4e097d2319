"""The state directory's own files: the lock and ``core.json`` (docs/spec/core.md)."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecore.core.options import CoreError
from edgecore.disk.one_holder import hold
from edgecore.disk.space import is_full


def require_writable(state: Path) -> None:
    """The directory with what a core needs in it before all else. Raises CoreError."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / "logs").mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=state):
            pass
    except OSError as error:
        if is_full(error):  # no reason not to start: what leaves makes room
            return
        raise CoreError(
            f"--state {state}: the core cannot write there: {error.strerror}. Make that volume "
            "writable (a file system that met an error is read-only until it is checked and "
            "mounted again), or pass another folder; nothing that was accepted is touched"
        ) from None


class StateLock:
    """One core per directory; the kernel lets go when the process ends, however it ends."""

    def __init__(self, state: Path) -> None:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            state.chmod(0o700)
        except PermissionError:
            raise CoreError(
                f"--state {state}: belongs to uid {state.stat().st_uid} and cannot be made "
                "private (0700); pass a folder of the core's own user"
            ) from None
        self._stream = (state / "core.lock").open("w")
        hold(
            self._stream,
            CoreError(
                f"--state {state}: another core uses it; stop that core or pass another folder"
            ),
        )

    def release(self) -> None:
        self._stream.close()


def kept_token(state: Path) -> str:
    """The page's token: made once, so that an open page may still act after a restart. Remove the
    file for another one. Raises CoreError."""
    path = state / "token"
    try:
        if path.exists() and (kept := path.read_text("ascii").strip()):
            return kept
        made = secrets.token_urlsafe(24)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(made + "\n")
    except (OSError, ValueError) as error:
        raise CoreError(f"{path}: {error}; make room, or remove it") from error
    return made


def write_core_json(state: Path, facts: Mapping[str, Any]) -> None:
    """How the command line finds a running core; readable by its owner only (page token)."""
    temporary = state / "core.json.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(dict(facts), stream)
    temporary.replace(state / "core.json")


def remove_core_json(state: Path) -> None:
    (state / "core.json").unlink(missing_ok=True)
