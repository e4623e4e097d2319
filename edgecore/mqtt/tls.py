"""The TLS side: who is trusted at the handshake. Who is *who* is decided at CONNECT."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from edgecore.core.group import Thing


def server_context(
    *, certificate: Path, key: Path, members: Iterable[Thing], extra_ca: Path | None = None
) -> ssl.SSLContext:
    """TLS 1.2 or newer with client certificates required.

    Trusted are the members' own certificates, pinned (a device certificate of AWS IoT
    counts by itself, without Amazon's CA), and the CAs in ``extra_ca`` where given.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_cert_chain(certificate, key)
    for thing in members:
        if thing.certificate_pem:
            context.load_verify_locations(cadata=thing.certificate_pem)
    if extra_ca is not None:
        context.load_verify_locations(extra_ca)
    return context
