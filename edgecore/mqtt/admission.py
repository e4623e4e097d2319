"""Who may connect as whom: client id = thing name, certificate = that thing's own. Pure."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping

from edgecore.core.group import Thing
from edgecore.mqtt.packets import Connect, ConnectCode

PROTOCOL_LEVEL = 4  # MQTT 3.1.1


def certificate_matches(thing: Thing, certificate_der: bytes) -> bool:
    """The thing's pinned PEM where the core has it, else AWS IoT's certificate id."""
    if thing.certificate_pem is not None:
        return ssl.PEM_cert_to_DER_cert(thing.certificate_pem) == certificate_der
    return hashlib.sha256(certificate_der).hexdigest() == thing.certificate_id.lower()


def admit(
    packet: Connect, members: Mapping[str, Thing], *, certificate_der: bytes | None, plain: bool
) -> tuple[ConnectCode, Thing | None, str]:
    """Code, the thing when accepted, and the reason when not.

    ``plain`` is the loopback listener: no certificate, and ``{thing}#{suffix}`` lets
    several local tools be the same thing.
    """
    if packet.level != PROTOCOL_LEVEL:
        reason = f"MQTT protocol level {packet.level}; this endpoint speaks 3.1.1 (level 4)"
        return ConnectCode.UNACCEPTABLE_PROTOCOL, None, reason
    name = packet.client_id.partition("#")[0] if plain else packet.client_id
    thing = members.get(name)
    if thing is None:
        reason = f"client id {packet.client_id!r} is not a thing of this group"
        return ConnectCode.IDENTIFIER_REJECTED, None, reason
    if plain:
        return ConnectCode.ACCEPTED, thing, ""
    if certificate_der is None or not certificate_matches(thing, certificate_der):
        reason = f"the client's certificate is not the one of {name!r}"
        return ConnectCode.NOT_AUTHORIZED, None, reason
    return ConnectCode.ACCEPTED, thing, ""
