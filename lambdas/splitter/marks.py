"""What tells one content of a file from the next without reading it."""

from __future__ import annotations

import hashlib
import os
from typing import Iterable


def mark_of(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def marks_digest(marks: Iterable[str]) -> str:
    """The same for several files, in their order."""
    return hashlib.sha256("\0".join(marks).encode()).hexdigest()[:32]
