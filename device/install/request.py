"""A key that is made on this device and never leaves it, and the request to certify it.

`make_request` is the installer's; the rest runs in the installed version's own interpreter, since
making a key takes `cryptography`, which the device's Python need not have.
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

from device.install.joining import JoinError
from device.install.layout import Layout
from device.versions.command import CommandError, run

TIMEOUT_S = 120
_LIBRARY = Path(__file__).resolve().parents[2]


class RequestError(Exception):
    """Neither key nor request was made; why, in one line."""


def make_request(python: Path, thing: str, key: Path, request: Path, *, anew: bool) -> bool:
    """A key (0600) where there is none, or `anew`, and its request; whether the key is new.

    Raises RequestError.
    """
    fresh = anew or not key.exists()
    command = [str(python), "-m", __name__, thing, str(key), str(request), "anew" if fresh else ""]
    try:
        run(command, TIMEOUT_S, env={**os.environ, "PYTHONPATH": str(_LIBRARY)})
    except CommandError as error:
        raise RequestError(f"no key could be made: {error}") from error
    return fresh


def adopt_key(join: dict[str, Any], source: Path, layout: Layout) -> Path | None:
    """The key on this device that a join file without one is for; a next one takes its place.

    Raises JoinError.
    """
    if join.get("key_pem") or not join.get("key_path"):
        return None
    thing = str(join["thing"])
    key = layout.on(layout.settings / Path(str(join["key_path"])).name)
    held = [each for each in (key, next_key(key)) if each.is_file()]
    if not held:
        raise JoinError(
            f"{source}: is for a key that is not on this device ({key}). Make one here: "
            f"./install.sh --csr {thing}; then fanfold provision with its request"
        )
    for each in held:
        if _fits(str(join["certificate_pem"]), each):
            each.replace(key)
            return key
    raise JoinError(
        f"{source}: its certificate is not for the key of this device, {key}. Carry the newest "
        f"{thing}.csr of this device to fanfold provision again"
    )


def next_key(key: Path) -> Path:
    """Where a new key waits for its certificate, while the core goes on with the old one."""
    return key.with_name(f"{key.name}.next")


def _fits(certificate: str, key: Path) -> bool:
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate)
        file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(file.name, str(key))
        except (ssl.SSLError, OSError):
            return False
    return True


def _make(thing: str, key: Path, request: Path, *, anew: bool) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    if anew:
        made = ec.generate_private_key(ec.SECP256R1())
        text = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        draft = key.with_name(f".{key.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(str(draft), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(key)
    held: Any = serialization.load_pem_private_key(key.read_bytes(), None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, thing)])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(held, hashes.SHA256())
    request.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


if __name__ == "__main__":
    _make(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), anew=sys.argv[4] == "anew")
