"""What a user is told when something is not right, and the exit code that says so.

Exit codes of every verb: 0 done · 1 failed · 2 usage or invalid input (also "changes found"
for `diff`) · 3 a needed thing is missing · 4 refused by the other side · 130 interrupted.
"""

from __future__ import annotations

FAILED = 1
INVALID = 2
MISSING = 3
REFUSED = 4
INTERRUPTED = 130


class UserError(Exception):
    """A sentence for the user: subject, value, limit, remedy. Never shown with a traceback."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
