"""The one error that a source raises for what its user can put right."""

from __future__ import annotations

INVALID = 2
MISSING = 3
REFUSED = 4


class SourceError(Exception):
    """Subject, value, limit, remedy in one line; ``exit_code`` as in docs/spec/core.md."""

    def __init__(self, message: str, *, exit_code: int = INVALID) -> None:
        super().__init__(message)
        self.exit_code = exit_code
