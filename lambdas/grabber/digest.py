"""HTTP Digest as cameras of today ask for it: SHA-256 too (RFC 7616), names beyond ASCII too.

The standard library's own knows MD5 and ASCII alone, up to Python 3.13.
"""

from __future__ import annotations

import hashlib
import urllib.request
from typing import Any, Callable

_HASHES: dict[str, Callable[..., Any]] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class DigestLogin(urllib.request.HTTPDigestAuthHandler):
    """Raises `ValueError` for an algorithm that is neither."""

    def get_algorithm_impls(self, algorithm: str) -> tuple[Any, Any]:
        made = _HASHES.get(algorithm.upper())
        if made is None:
            raise ValueError(f"no such digest: {algorithm:.20}")

        def digest(text: str) -> str:
            return str(made(text.encode()).hexdigest())

        return digest, lambda secret, data: digest(f"{secret}:{data}")
