"""A command of the installation: quiet where it succeeds, its last words where it does not."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

_LAST_WORDS_CHARS = 600


class CommandError(Exception):
    """Why it did not succeed, in its own last words."""


def run(
    command: Sequence[str],
    timeout_s: float,
    *,
    env: Mapping[str, str] | None = None,
    umask: int = -1,
) -> None:
    """Raises CommandError."""
    try:
        done = subprocess.run(
            command,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            umask=umask,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(str(error)) from error
    if done.returncode:
        raise CommandError((done.stderr or done.stdout).strip()[-_LAST_WORDS_CHARS:])
