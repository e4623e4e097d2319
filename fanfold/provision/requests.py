"""Requests for certificates (CSR) whose keys were made on the devices and stay there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from fanfold.common.errors import FAILED, INVALID, MISSING, UserError

LEAST_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""Keys that AWS IoT certifies (IoT developer guide, "X.509 client certificates")."""
REMEDY = "Make it on the device: sudo ./install.sh --csr THING"


@dataclass(frozen=True)
class Request:
    """`thing` is the request's common name; `public_key` its key (DER)."""

    thing: str
    pem: str
    public_key: bytes


def read_request(path: Path) -> Request:
    """A request that AWS IoT will take. Raises UserError."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). {REMEDY}", MISSING) from error
    return parse_request(pem, str(path))


def parse_request(pem: bytes, name: str) -> Request:
    """`name`: what an error calls it. Raises UserError."""
    try:
        found = x509.load_pem_x509_csr(pem)
    except ValueError as error:
        said = f"{name}: is no certificate request in PEM ({error}). {REMEDY}"
        raise UserError(said, INVALID) from error
    if not found.is_signature_valid:
        said = f"{name}: its signature does not fit its key; copy the file again"
        raise UserError(said, INVALID)
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or not str(names[0].value).strip():
        said = f"{name}: names {len(names)} things (CN), one is needed. {REMEDY}"
        raise UserError(said, INVALID)
    if problem := _unfit(found.public_key()):
        raise UserError(f"{name}: {problem}. {REMEDY}", INVALID)
    return Request(str(names[0].value), pem.decode("ascii"), _der(found.public_key()))


def refuse_other_key(request: Request, certificate: str) -> None:
    """Raises UserError where a certificate was made for another key than the request's."""
    made = x509.load_pem_x509_certificate(certificate.encode("ascii"))
    if _der(made.public_key()) != request.public_key:
        raise UserError(
            f"{request.thing}: the cloud has certified another key than the request's; nothing was "
            "kept. Is this endpoint AWS IoT or this project's development cloud?",
            FAILED,
        )


def _unfit(key: object) -> str | None:
    if isinstance(key, rsa.RSAPublicKey):
        short = key.key_size < LEAST_RSA_BITS
        return f"RSA key of {key.key_size} bits, {LEAST_RSA_BITS} needed" if short else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        name = key.curve.name
        return None if name in CURVES else f"curve {name}, allowed: {', '.join(CURVES)}"
    return f"{type(key).__name__} is no kind of key that AWS IoT takes (RSA, elliptic curves)"


def _der(key: object) -> bytes:
    made: bytes = key.public_bytes(  # type: ignore[attr-defined]
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return made
