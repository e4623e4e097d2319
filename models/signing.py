"""Ed25519 signatures of packages: over model.json, which has the hash of every other file.

The signature lies in the archive as `model.json.sig`; the private key is a PEM file of the
user's, the public key a line of text (base64 of 32 bytes) in the device's profile.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lambdas.model.errors import ModelError
from lambdas.model.spec import MANIFEST
from models.package import Inspection, inspect, members, write_archive

SIGNATURE = MANIFEST + ".sig"


def new_key(path: Path) -> None:
    """Write a new private key that only its owner can read. Raises `ModelError`."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    except FileExistsError:
        raise ModelError(f"{path} exists: a key is never overwritten") from None


def public_key(path: Path) -> str:
    """The line for a profile. Raises `ModelError`."""
    raw = _private(path).public_key().public_bytes_raw()
    return base64.b64encode(raw).decode()


def sign(path: Path, key: Path, out: Path) -> Inspection:
    """Write `path` with a signature to `out`. Raises `ModelError`."""
    inspect(path)
    content = members(path)
    if MANIFEST not in content:
        raise ModelError(f"{path.name} has no {MANIFEST}: pack it with `fanfold model pack` first")
    signature = _private(key).sign(content[MANIFEST])
    content[SIGNATURE] = base64.b64encode(signature) + b"\n"
    write_archive(content, out)
    return inspect(out)


def is_signed(path: Path, key: str) -> bool:
    """Whether the package at `path` has a signature by the public `key`."""
    content = members(path)
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))
        public.verify(base64.b64decode(content.get(SIGNATURE, b"")), content.get(MANIFEST, b""))
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such key; make one with --new-key") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ModelError(f"{path} is no private key in PEM without a password: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ModelError(f"{path} is no Ed25519 key; make one with --new-key")
    return key
