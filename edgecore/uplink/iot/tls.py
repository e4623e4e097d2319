"""The TLS context of this device, and what its own certificate says of itself.

PEMs may be texts in the join file; OpenSSL wants files, and gets them from memory, so the
private key is in no second file.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone

from edgecore.uplink.iot.identity import ALPN, HTTPS_PORT, Identity, Pem
from edgecore.uplink.iot.problems import Problem, clock_problem


class UnusableIdentity(Exception):  # noqa: N818 - a state of the world, tried again
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def device_context(identity: Identity, *, alpn: bool) -> ssl.SSLContext:
    """Mutual TLS. Raises ``UnusableIdentity``: a PEM is missing, malformed or mismatched."""
    with ExitStack() as stack:
        try:
            files = [
                stack.enter_context(_as_file(pem)) if pem else None
                for pem in (identity.certificate, identity.key, identity.ca)
            ]
        except OSError as error:
            raise _unusable(f"{error.filename}: cannot be read ({error.strerror}); "
                "restore it, or provision the device again") from error  # fmt: skip
        certificate, key, ca = files
        context = _trusting(ca)
        try:
            context.load_cert_chain(str(certificate), key)
        except ssl.SSLError as error:
            raise _unusable(f"the device certificate and its key ({_where(identity)}) cannot be "
                f"used together ({error.reason or error}); provision again") from error  # fmt: skip
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if alpn and identity.port == HTTPS_PORT:
        context.set_alpn_protocols([ALPN])
    return context


def _trusting(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, OSError) as error:
        raise _unusable(f"ca_pem of the join file holds no certificate ({error}); provision "
            "again, or leave it out to trust the system's") from error  # fmt: skip


def own_certificate_problem(identity: Identity, now: float | None = None) -> Problem | None:
    """Why the device's certificate cannot be valid at this moment; None: nothing is known."""
    from cryptography import x509

    now = time.time() if now is None else now
    if problem := clock_problem(now):
        return problem
    try:
        certificate = x509.load_pem_x509_certificate(identity.certificate.read())
    except (OSError, ValueError) as error:
        return Problem("certificate", f"the device certificate ({_where(identity)}) cannot be "
            f"read ({error}); provision the device again")  # fmt: skip
    moment = datetime.fromtimestamp(now, timezone.utc)
    if moment > certificate.not_valid_after_utc:
        return Problem("certificate", f"the device certificate of {identity.thing!r} expired on "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}; provision the device again")  # fmt: skip
    if moment < certificate.not_valid_before_utc:
        return Problem("clock", f"this device's clock says {moment:%Y-%m-%d %H:%M} UTC, before "
            f"its certificate begins ({certificate.not_valid_before_utc:%Y-%m-%d}); "
            "set the clock (timedatectl set-ntp true)")  # fmt: skip
    return None


def _where(identity: Identity) -> str:
    return str(identity.certificate.path or identity.source)


def _unusable(message: str) -> UnusableIdentity:
    return UnusableIdentity(Problem("identity", message))


@contextmanager
def _as_file(pem: Pem) -> Iterator[str]:
    data = pem.read()
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
