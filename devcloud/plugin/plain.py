"""What a patch of moto stands on: the function as moto wrote it."""

from __future__ import annotations

from typing import Any


def as_moto_wrote(owner: Any, name: str) -> Any:
    """Also when a patch is installed a second time."""
    key = f"_plain_{name}"
    if key not in owner.__dict__:
        setattr(owner, key, owner.__dict__[name])
    return owner.__dict__[key]
