"""The SHA-256 that a model's address pins: `…-{64 hex digits}.tar.gz`, from `model publish`.

The address travels in the group document, so whoever replaces the object in S3 cannot
replace what the document asks for. Pure.
"""

from __future__ import annotations

import re

from edgecore.sources.errors import SourceError

_PINNED = re.compile(r"-([0-9a-f]{64})\.(?:tar\.gz|tgz|zip)\Z")


def pinned_sha256(uri: str) -> str | None:
    """None: the address pins nothing."""
    match = _PINNED.search(uri)
    return match.group(1) if match else None


def check_pinned(what: str, uri: str, sha256: str) -> None:
    """Raises ``SourceError`` where the archive is not the one that ``uri`` pins."""
    wanted = pinned_sha256(uri)
    if wanted is not None and wanted != sha256:
        raise SourceError(
            f"{what}: the archive has SHA-256 {sha256}, the deployment asks for {wanted}: the "
            "object was replaced or damaged; publish the model again and deploy its new address"
        )
