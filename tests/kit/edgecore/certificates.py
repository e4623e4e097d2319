"""Device certificates: self-signed as a development cloud makes them, good or expired."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class DeviceCertificate:
    certificate: Path
    key: Path

    @property
    def pem(self) -> str:
        return self.certificate.read_text()

    @property
    def id(self) -> str:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.pem)).hexdigest()


def make(folder: Path, name: str, *, days: int = 30) -> DeviceCertificate:
    """``days`` negative: expired that long ago."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.now(timezone.utc) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=60))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    paths = DeviceCertificate(folder / f"{name}.pem", folder / f"{name}-key.pem")
    paths.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def client_context(ca: Path, device: DeviceCertificate | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    if device is not None:
        context.load_cert_chain(device.certificate, device.key)
    return context
