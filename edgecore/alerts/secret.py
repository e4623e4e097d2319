"""Passwords and tokens: from a file or this process's environment, read when they are used, so
that a changed one works at once; never from the group, and never in a log."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_BYTES = 4096


class SecretError(Exception):
    """There is none; the text names where it was looked for, never what was found."""


def read_secret(settings: Mapping[str, Any], name: str) -> str | None:
    """``{name}_file`` or ``{name}_env`` of the settings; None: neither. Raises SecretError."""
    file, variable = settings.get(f"{name}_file"), settings.get(f"{name}_env")
    if file:
        try:
            found = Path(file).read_bytes()[:MAX_BYTES].decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "is no text"
            raise SecretError(f"{name}_file {file}: {why}") from None
    elif variable:
        found = os.environ.get(variable, "").strip()
    else:
        return None
    if not found:
        where = f"{name}_file {file}" if file else f"{name}_env {variable}"
        raise SecretError(f"{where}: is empty; put the {name} there for the core's user to read")
    return found
