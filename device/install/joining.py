"""The join file as the installer needs it: docs/spec/join-file.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
_THING = re.compile(r"[a-zA-Z0-9:_-]{1,128}\Z")


class JoinError(Exception):
    """The join file cannot be used; what is wrong, and the remedy, in one line."""


def read_join(path: Path) -> dict[str, Any]:
    """Raises JoinError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JoinError(f"{path}: cannot be read ({error}); copy it again") from error
    if not isinstance(content, dict) or content.get("v") != FORMAT:
        raise JoinError(
            f"{path}: is no join file of version {FORMAT}; fanfold provision writes one"
        )
    site = content.get("site")
    if not isinstance(site, str) or not _NAME.match(site):
        raise JoinError(f"{path}: site {site!r} is not a site's name; provision the site again")
    for name in ("thing", "iot_endpoint", "certificate_pem"):
        if not content.get(name):
            raise JoinError(f"{path}: {name} is missing; provision the site again")
    for name, volume in volumes_of(content).items():
        if not volume.startswith("/"):
            raise JoinError(f"{path}: volumes.{name} {volume!r} is not an absolute path")
    return content


def check_thing(name: str) -> str:
    """A thing name as AWS IoT takes it. Raises JoinError."""
    if not _THING.match(name):
        raise JoinError(f"--csr {name!r}: a thing's name has 1 to 128 of a-z A-Z 0-9 : _ -")
    return name


def volumes_of(join: dict[str, Any]) -> dict[str, str]:
    """The site's volumes on the device, by name."""
    return {str(name): str(path) for name, path in (join.get("volumes") or {}).items()}
