"""The endpoint's certificate, renewed while the core runs: clients are told nothing."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from edgecore.mqtt.ca import ServerIdentity, ensure

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3600.0
"""Often, not at a date: the clock may be wrong at the start and set later."""


async def keep_renewed(
    folder: Path,
    context: ssl.SSLContext,
    *,
    every_s: float = LOOK_EVERY_S,
    renew: Callable[[Path], ServerIdentity] = ensure,
    stem: str = "server",
) -> None:
    """Until cancelled. New handshakes on ``context`` see a new certificate as soon as there is
    one; connections that exist go on."""
    shown = (folder / f"{stem}.pem").read_bytes()
    while True:
        await asyncio.sleep(every_s)
        try:
            identity = await asyncio.to_thread(renew, folder)
            found = identity.certificate.read_bytes()
            if found != shown:
                context.load_cert_chain(identity.certificate, identity.key)
                shown = found
                log.info("the certificate %s is renewed", identity.certificate)
        except (OSError, ValueError) as error:
            log.error("%s/%s.pem: the certificate is not renewed: %s", folder, stem, error)  # noqa: TRY400
