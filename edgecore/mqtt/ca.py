"""The group CA: made once per state directory; it signs the MQTT endpoint's certificate.

AWS's core takes this role from the cloud's group CA; ours is the same thing kept here.
Devices trust ``ca/group-ca.pem``.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgecore.disk.whole_file import write_whole

CA_DAYS = 20 * 365
SERVER_DAYS = 90
RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(days=1)  # a camera's clock may run behind


@dataclass(frozen=True, kw_only=True)
class ServerIdentity:
    """Files to give to ``ssl``."""

    ca: Path
    certificate: Path
    key: Path


def local_addresses() -> list[str]:
    """This machine's addresses, IPv4 of other machines' sight first, loopback last."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    found = {
        address.address.partition("%")[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in families
    }
    return sorted(found | {"127.0.0.1", "::1"}, key=_reach)


def _reach(address: str) -> tuple[bool, bool, str]:
    number = ipaddress.ip_address(address)
    return number.is_loopback or number.is_link_local, number.version == 6, address


def local_names() -> list[str]:
    """Names and addresses under which devices may reach this machine."""
    return ["localhost", socket.gethostname(), *local_addresses()]


def ensure(
    folder: Path,
    *,
    names: Iterable[str] | None = None,
    now: datetime | None = None,
    stem: str = "server",
) -> ServerIdentity:
    """Make or renew what is missing, expiring, or lacks one of ``names``.

    The CA stays as it is for as long as it is valid: devices trust it by its file. ``stem``
    names the files: one certificate for the MQTT endpoint, another for the page.
    """
    moment = now or datetime.now(timezone.utc)
    wanted = list(dict.fromkeys(names if names is not None else local_names()))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_key, ca = _ensure_ca(folder, moment)
    certificate_path, key_path = folder / f"{stem}.pem", folder / f"{stem}-key.pem"
    certificate = _load_certificate(certificate_path)
    if certificate is None or not _still_good(certificate, key_path, ca, wanted, moment):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign_server(key, ca_key, ca, wanted, moment)
        _write_private(key_path, key)
        chain = certificate.public_bytes(serialization.Encoding.PEM) + _pem(ca)
        write_whole(certificate_path, chain, 0o644)
    return ServerIdentity(
        ca=folder / "group-ca.pem",
        certificate=certificate_path,
        key=key_path,
    )


def _ensure_ca(folder: Path, now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    certificate_path, key_path = folder / "group-ca.pem", folder / "group-ca-key.pem"
    certificate = _load_certificate(certificate_path)
    if certificate is not None and certificate.not_valid_after_utc > now + RENEW_BEFORE:
        key = _load_key(key_path)
        if key is not None and key.public_key() == certificate.public_key():
            return key, certificate
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fanfold group CA")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, name, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_private(key_path, key)
    write_whole(certificate_path, _pem(certificate), 0o644)
    return key, certificate


def _sign_server(
    key: ec.EllipticCurvePrivateKey,
    ca_key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    names: Iterable[str],
    now: datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fanfold core")])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    server_auth = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        _builder(subject, ca.subject, key, now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_general(names)), critical=False)
        .add_extension(server_auth, critical=False)
        .add_extension(authority, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _general(names: Iterable[str]) -> list[x509.GeneralName]:
    general: list[x509.GeneralName] = []
    for name in names:
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            general.append(x509.DNSName(name))
    return general


def _still_good(
    certificate: x509.Certificate,
    key_path: Path,
    ca: x509.Certificate,
    names: Iterable[str],
    now: datetime,
) -> bool:
    key = _load_key(key_path)
    if key is None or key.public_key() != certificate.public_key():
        return False
    if certificate.not_valid_after_utc <= now + RENEW_BEFORE:
        return False
    try:
        certificate.verify_directly_issued_by(ca)
    except Exception:  # any reason: a certificate that is not ours is made anew
        return False
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(_general(names)) <= set(extension.value)


def _load_certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_whole(path, pem, 0o600)
