"""From the arguments to what may be listened on beyond loopback; refused before anything is."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from edgecore.core.options import CoreError, Web
from edgecore.mqtt import ca
from edgecore.people.kept_file import KeptFileError
from edgecore.people.users import Users
from edgecore.web.access.authenticators import TrustedProxy

WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to tell them apart
PAGE = "page"


@dataclass(frozen=True, kw_only=True)
class Tls:
    """``own``: of the group CA, made and renewed by the core."""

    certificate: Path
    key: Path
    own: bool

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as browsers and ``openssl`` show it."""
        pem = self.certificate.read_text("ascii", "replace")
        end = "-----END CERTIFICATE-----"
        first = pem[pem.index("-----BEGIN") : pem.index(end) + len(end)]
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest().hex(":").upper()


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where users come in."""

    host: str
    port: int
    tls: Tls | None
    names: frozenset[str]
    proxy: TrustedProxy | None

    def url(self, port: int) -> str:
        """An address to open; for a wildcard the first one of this machine."""
        host = ca.local_addresses()[0] if self.host in WILDCARDS else self.host
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{shown}:{port}/"


def listening_of(web: Web, state: Path) -> Listening | None:
    """None without ``--listen``. Raises CoreError (exit code 2 or 3), with the remedy."""
    proxy = _proxy(web)
    if (web.certificate is None) != (web.key is None):
        raise CoreError("--http-certificate and --http-key: pass both or neither", exit_code=2)
    if web.listen is None:
        if proxy is not None or web.certificate is not None or web.no_tls:
            raise CoreError(
                "--trust-header, --http-certificate and --no-tls are for --listen ADDRESS:PORT, "
                "which is missing",
                exit_code=2,
            )
        return None
    host, port = _address(web.listen)
    _check_users(state)
    names = frozenset(name.lower() for name in (*web.names, *ca.local_names()))
    return Listening(host=host, port=port, tls=_tls(web, host, state), names=names, proxy=proxy)


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise CoreError(
            f"--listen {text!r:.80}: give ADDRESS:PORT, e.g. 0.0.0.0:8443 or 192.168.1.5:8443",
            exit_code=2,
        )
    return host, int(port)


def _check_users(state: Path) -> None:
    try:
        users = Users(state).all()
    except KeptFileError as error:
        raise CoreError(f"--listen: {error}", exit_code=3) from error
    if not users:
        raise CoreError(
            "--listen: nobody could sign in, as there are no users. Add one first: fanfold user "
            "add SITE NAME --role admin (or keep to loopback and use an SSH tunnel)",
            exit_code=2,
        )


def _tls(web: Web, host: str, state: Path) -> Tls | None:
    if web.no_tls:
        if not is_loopback(host):
            raise CoreError(
                f"--no-tls: {host!r} is not loopback, and passwords would cross the network in "
                "plain text. Leave --no-tls out (the core makes a certificate of its own), or "
                "listen on 127.0.0.1 behind a proxy that speaks TLS",
                exit_code=2,
            )
        return None
    if web.certificate is None or web.key is None:
        names = [*ca.local_names(), *web.names]
        names += [] if host in WILDCARDS else [host]
        made = ca.ensure(state / "ca", names=names, stem=PAGE)
        return Tls(certificate=made.certificate, key=made.key, own=True)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(web.certificate, web.key)
    except (OSError, ssl.SSLError) as error:
        raise CoreError(
            f"--http-certificate {web.certificate}, --http-key {web.key}: "
            f"{error.strerror or error}; pass a PEM certificate and its key",
            exit_code=2,
        ) from error
    return Tls(certificate=web.certificate, key=web.key, own=False)


def _proxy(web: Web) -> TrustedProxy | None:
    if web.trust_header is None and not web.trust_from:
        return None
    if web.trust_header is None or not web.trust_from:
        raise CoreError(
            "--trust-header NAME and --trust-from ADDRESS belong together: a header is believed "
            "from named addresses only",
            exit_code=2,
        )
    try:
        addresses = frozenset(str(ipaddress.ip_address(each)) for each in web.trust_from)
    except ValueError as error:
        raise CoreError(f"--trust-from: {error}; give the proxy's address", exit_code=2) from error
    return TrustedProxy(header=web.trust_header.lower(), addresses=addresses)
