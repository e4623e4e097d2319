"""`all`, but never of nothing."""

from __future__ import annotations

from collections.abc import Iterable


def every(found: Iterable[object]) -> bool:
    """Whether each of these is true; there must be one to be asked."""
    asked = list(found)
    assert asked, "nothing was there to be checked"
    return all(asked)
