"""A device's bundle as a deployment brings it: what its file's name says (`fanfold bundle`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

BUNDLE_NAME = re.compile(
    r"fanfold-(?P<version>[A-Za-z0-9.+]+-[0-9a-f]{10})-(?P<arch>x86_64|aarch64)"
    r"-py3\.\d{1,2}-[a-z]+\.tar"
)
BUNDLE_WORDS = "fanfold-VERSION-ARCH-pyX.Y-RUNTIME.tar, as `fanfold bundle` names it"


@dataclass(frozen=True)
class BundleFile:
    """``version``: as the launcher on the device names it."""

    version: str
    arch: str

    @classmethod
    def of(cls, source: str) -> BundleFile | None:
        """None where the name is not one of `BUNDLE_NAME`'s."""
        found = BUNDLE_NAME.fullmatch(source.rpartition("/")[2])
        return cls(found["version"], found["arch"]) if found else None
