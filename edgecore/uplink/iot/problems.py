"""What stands between this core and the cloud: one line each, with its remedy. Pure."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from typing import Literal

from edgecore.core.verdict.machine import EARLIEST_CLOCK
from edgecore.uplink.iot.proxy import ProxyError, shown

Kind = Literal[
    "identity", "clock", "certificate", "dns", "network", "proxy", "trust", "refused",
    "not_authorized", "taken_over", "silence", "closed", "busy",
]  # fmt: skip

_NOT_YET_VALID, _EXPIRED, _HOSTNAME = 9, 10, 62  # X509_V_ERR_…
_OWN_CERTIFICATE = ("CERTIFICATE_EXPIRED", "CERTIFICATE_REVOKED", "BAD_CERTIFICATE",
    "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE",
    "ACCESS_DENIED", "ALERT_UNSUPPORTED_CERTIFICATE")  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """``message`` is one line: subject, what is wrong, what to do."""

    kind: Kind
    message: str


def clock_problem(now: float) -> Problem | None:
    """A clock that was never set: a device without a battery starts in 1970."""
    if now >= EARLIEST_CLOCK:
        return None
    shown = time.strftime("%Y-%m-%d %H:%M", time.gmtime(now))
    return Problem("clock", f"this device's clock says {shown} UTC, which is long past: no "
        "certificate is valid then; set the clock (timedatectl set-ntp true)")  # fmt: skip


def of_connecting(error: Exception, host: str, port: int, proxy: str | None) -> Problem:
    """The problem behind an exception from resolving, connecting or shaking hands."""
    where = f"{host}:{port}"
    if isinstance(error, ProxyError):
        return Problem("proxy", f"HTTP proxy {shown(proxy or '')}: no way to {where} through it "
            f"({_text(error)}); check the proxy's address, its rights and --iot-proxy")  # fmt: skip
    if isinstance(error, socket.gaierror):
        return Problem("dns", f"{host}: this name does not resolve ({_text(error)}); check the "
            "network, the DNS server and the endpoint in the join file")  # fmt: skip
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_trust(error, where)
    if isinstance(error, ssl.SSLError):
        return _of_handshake(error, where)
    return Problem("network", f"{where}: {_network_words(error)}")


def _network_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return (
            "no answer; check the network, and that a firewall lets TCP to this port out "
            "(443 is the other port to try)"
        )
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there; check endpoint and port"
    return f"{_text(error)}; check the network"


def _of_trust(error: ssl.SSLCertVerificationError, where: str) -> Problem:
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        now = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        return Problem("clock", f"{where}: its certificate is not valid at this device's time, "
            f"{now} UTC ({error.verify_message}); check this device's clock first")  # fmt: skip
    if error.verify_code == _HOSTNAME:
        return Problem("trust", f"{where}: its certificate is for another name "
            f"({error.verify_message}); check the endpoint")  # fmt: skip
    return Problem("trust", f"{where}: its certificate is not trusted ({error.verify_message}); "
        "check the endpoint, ca_pem in the join file and the system's CA certificates, and that "
        "no proxy opens TLS on the way")  # fmt: skip


def _of_handshake(error: ssl.SSLError, where: str) -> Problem:
    reason = error.reason or ""
    if any(mark in reason for mark in _OWN_CERTIFICATE):
        return Problem("certificate", f"{where} refuses this device's certificate ({reason}); it "
            "may be expired, inactive, revoked or of another account: look it up in AWS IoT, or "
            "provision the device again")  # fmt: skip
    return Problem("refused", f"{where}: the TLS handshake failed ({_text(error)}); check that "
        "the port is one of AWS IoT's and that nothing on the way opens TLS")  # fmt: skip


def _text(error: Exception) -> str:
    said = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return " ".join(said.split())
