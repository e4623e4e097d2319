"""Certificates that lie on this machine, for a group that no cloud has given its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fanfold.provision.identities import CERTIFICATE


def local_certificates(
    document: Mapping[str, Any], folder: Path
) -> tuple[dict[str, str], list[str]]:
    """(thing ARN → PEM, names of the things that have none) below a site's `folder` of keys.

    The core accepts a device on TLS only when it knows the device's certificate itself.
    """
    found: dict[str, str] = {}
    missing: list[str] = []
    for thing in (document["Core"], *document["Devices"]):
        path = folder / thing["ThingName"] / CERTIFICATE
        if path.is_file():
            found[thing["ThingArn"]] = path.read_text(encoding="ascii")
        else:
            missing.append(thing["ThingName"])
    return found, missing
