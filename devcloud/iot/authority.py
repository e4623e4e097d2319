"""The certificate authority of one run: it signs the endpoint's certificate and the devices'.

moto makes certificates that no chain leads to, and from a CSR one over a key of its own.
"""

from __future__ import annotations

import ipaddress
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DEVICE_NAME = "AWS IoT Certificate"
DEVICE_UNTIL = datetime(2049, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
"""AWS IoT's own end of every certificate that it signs."""
LIFE = timedelta(days=365)
EARLIER = timedelta(days=1)
"""Valid from the day before: a device's clock may be a little behind."""
CA_FILE, SERVER_FILE = "ca.pem", "endpoint.pem"
ALPN = ["x-amzn-mqtt-ca", "x-amzn-http-ca", "http/1.1"]
_SMALLEST_RSA = 2048


class CsrRefused(Exception):  # noqa: N818 (as AWS says it)
    """Not a signing request that AWS IoT takes."""


class Authority:
    """Keys stay in memory; `folder` takes the CA's certificate and the endpoint's own pair."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Development cloud, root of this run")
        self.certificate = self._root()
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ca_file.write_bytes(_pem(self.certificate))

    @property
    def ca_file(self) -> Path:
        return self._folder / CA_FILE

    def sign_csr(self, pem: str) -> str:
        """A device certificate over the CSR's own key. Raises CsrRefused."""
        try:
            request = x509.load_pem_x509_csr(pem.encode())
        except ValueError as error:
            raise CsrRefused(f"The certificate signing request cannot be read: {error}") from error
        key = request.public_key()
        if not request.is_signature_valid:
            raise CsrRefused("The certificate signing request is not signed by its own key")
        if isinstance(key, rsa.RSAPublicKey):
            if key.key_size < _SMALLEST_RSA:
                raise CsrRefused(f"RSA key of {key.key_size} bits; at least {_SMALLEST_RSA}")
        elif not isinstance(key, ec.EllipticCurvePublicKey):
            raise CsrRefused("The key is neither RSA nor on an elliptic curve")
        return self._device(request.subject, key)

    def make_pair(self) -> tuple[str, str, str]:
        """(certificate, public key, private key), PEM, as CreateKeysAndCertificate answers."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=_SMALLEST_RSA)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        certificate = self._device(_name(DEVICE_NAME), key.public_key())
        return certificate, public.decode(), _private(key).decode()

    def server_context(self) -> ssl.SSLContext:
        """Mutual TLS: whoever has no certificate of this authority does not get through."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName("*.localhost")]
        names += [x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1")]
        builder = self._builder(_name("localhost"), key.public_key(), _now() + LIFE)
        certificate = builder.add_extension(
            x509.SubjectAlternativeName(names), critical=False
        ).sign(self._key, hashes.SHA256())
        file = self._folder / SERVER_FILE
        file.unlink(missing_ok=True)
        file.touch(0o600)
        file.write_bytes(_private(key) + _pem(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(file)
        context.load_verify_locations(cadata=_pem(self.certificate).decode())
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(ALPN)
        return context

    def _device(self, subject: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
        made = self._builder(subject, key, DEVICE_UNTIL).sign(self._key, hashes.SHA256())
        return _pem(made).decode()

    def _root(self) -> x509.Certificate:
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        return (
            self._base(self._name, self._key.public_key(), DEVICE_UNTIL)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        until: datetime,
    ) -> x509.CertificateBuilder:
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            self._base(subject, key, until)
            .add_extension(constraints, critical=True)
            .add_extension(issuer, critical=False)
        )

    def _base(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        until: datetime,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() - EARLIER)
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)
