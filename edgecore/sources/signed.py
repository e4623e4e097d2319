"""A site that names a public key runs only models that were signed with its private half.

The key is the variable ``FANFOLD_MODEL_KEY`` of the group's functions, which a profile's
``environment`` sets; the signature is ``model.json.sig`` (docs/spec/model-package.md).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecore.sources.errors import SourceError

KEY = "FANFOLD_MODEL_KEY"
MANIFEST = "model.json"


def model_keys(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The public keys that functions of the group name; none: models need no signature."""
    return tuple(sorted(set(_keys(document))))


def _keys(document: Mapping[str, Any]) -> Iterator[str]:
    for function in document.get("Functions") or []:
        environment = (function.get("FunctionConfiguration") or {}).get("Environment") or {}
        if key := (environment.get("Variables") or {}).get(KEY):
            yield str(key)


def check_signature(what: str, folder: Path, keys: tuple[str, ...]) -> None:
    """Raises ``SourceError`` where the unpacked model is not signed for every one of ``keys``."""
    for key in keys:
        if problem := _problem(folder, key):
            raise SourceError(
                f"{what}: {problem}; this device takes only models signed for its key "
                f"{key[:12]}…: sign it with `fanfold model sign` and publish it again"
            )


def _problem(folder: Path, key: str) -> str | None:
    from cryptography.exceptions import InvalidSignature  # only who names a key pays
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
    except ValueError:
        return f"{KEY} is no Ed25519 public key in base64"
    signature, manifest = folder / f"{MANIFEST}.sig", folder / MANIFEST
    if not signature.is_file() or not manifest.is_file():
        return "it has no signature"
    try:
        public.verify(base64.b64decode(signature.read_bytes()), manifest.read_bytes())
    except (InvalidSignature, ValueError):
        return "its signature is not by this key, or model.json was changed"
    return None
