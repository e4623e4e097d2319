"""A certificate authority for one test: a broker's certificate, devices' certificates."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True)
class Leaf:
    certificate_pem: str
    key_pem: str

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_text(self.certificate_pem)
        key.write_text(self.key_pem)
        return certificate, key


class OwnCa:
    def __init__(self, name: str = "test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        now = datetime.now(timezone.utc)
        builder = self._builder(self._name, self._key.public_key(), now - DAY, now + 10 * DAY)
        ca = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = builder.add_extension(ca, critical=True).sign(
            self._key, hashes.SHA256()
        )
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _builder(self, subject, key, start, end) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
            .public_key(key).serial_number(x509.random_serial_number())
            .not_valid_before(start).not_valid_after(end)
        )  # fmt: skip

    def leaf(self, common_name: str, *, begins_days: int = -1, ends_days: int = 5) -> Leaf:
        """Good for localhost and 127.0.0.1 where it is a server's."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(timezone.utc)
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        certificate = (
            self._builder(
                _name(common_name), key.public_key(), now + begins_days * DAY,
                now + ends_days * DAY,
            )
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip
        return Leaf(
            certificate.public_bytes(serialization.Encoding.PEM).decode(),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
        )

    def join(self, folder: Path, thing: str, port: int, **more: Any) -> Path:
        """A join file for ``thing`` at localhost:``port``."""
        leaf = more.pop("leaf", None) or self.leaf(thing)
        path = folder / f"{thing}.join"
        content = {
            "v": 1, "thing": thing, "site": "hall", "region": "eu-central-1",
            "iot_endpoint": f"localhost:{port}", "certificate_pem": leaf.certificate_pem,
            "key_pem": leaf.key_pem, "ca_pem": self.pem, "jobs": False, **more,
        }  # fmt: skip
        path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
        path.chmod(0o600)
        return path
