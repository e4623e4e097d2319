"""Greengrass V1's discovery for devices: where their core is and which CA signed its certificate.

``GET /greengrass/discover/thing/{name}`` over HTTPS with the device's own certificate, on port
8443, or 443 with ALPN ``x-amzn-http-ca`` (developer guide, "gg-discover-api"). AWS answered it
in the cloud for the group's devices; here the core answers for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any, cast

from edgecore.core.group import Group, Thing
from edgecore.mqtt.admission import certificate_matches

log = logging.getLogger(__name__)

ALPN = "x-amzn-http-ca"
MAX_HEAD_BYTES = 16_384
REQUEST_TIMEOUT_S = 10.0
MAX_CONNECTIONS = 64
_PATH = re.compile(r"/greengrass/discover/thing/([A-Za-z0-9:_-]{1,128})(?:\?.*)?\Z")
Json = dict[str, Any]


def answer(
    request_line: str, certificate_der: bytes | None, members: Mapping[str, Thing], known: Json
) -> tuple[int, Json]:
    """Status and body as V1 gives them. Pure."""
    method, _, rest = request_line.partition(" ")
    found = _PATH.match(rest.partition(" ")[0])
    if method != "GET" or found is None:
        return 404, {"message": "only GET /greengrass/discover/thing/THING is served here"}
    thing = members.get(found[1])
    if thing is None:
        return 404, {"message": f"{found[1]} is not a device of the core's group"}
    if certificate_der is None or not certificate_matches(thing, certificate_der):
        return 403, {"message": f"the certificate is not the one of {found[1]}"}
    return 200, known


def known_of(group: Group, addresses: list[str], port: int, ca_pem: str) -> Json:
    """The body for a member: one group with one core, at each of its addresses."""
    connectivity = [
        {
            "Id": f"AUTOIP_{address}_{number}",
            "HostAddress": address,
            "PortNumber": port,
            "Metadata": "",
        }
        for number, address in enumerate(addresses)
    ]
    core = {"thingArn": group.core.thing_arn, "Connectivity": connectivity}
    return {"GGGroups": [{"GGGroupId": group.id, "Cores": [core], "CAs": [ca_pem]}]}


class DiscoveryServer:
    """One request per connection. ``known`` is asked each time: addresses change."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        members: Mapping[str, Thing],
        known: Callable[[], Json],
    ) -> None:
        tls.set_alpn_protocols([ALPN, "http/1.1"])
        self.host, self.port = host, port
        self._tls, self._members, self._known = tls, members, known
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen; afterwards ``port`` is the real one. Raises ``OSError`` if it is taken."""
        self._server = await asyncio.start_server(
            self._serve,
            self.host,
            self.port,
            ssl=self._tls,
            ssl_handshake_timeout=REQUEST_TIMEOUT_S,
            limit=MAX_HEAD_BYTES,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                await asyncio.wait_for(self._answer(reader, writer), REQUEST_TIMEOUT_S)
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError) as error:
            log.info("discovery: a request was not answered: %r", error)
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), REQUEST_TIMEOUT_S)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.partition(b"\r\n")[0].decode("latin-1")
        secured = cast(ssl.SSLObject, writer.get_extra_info("ssl_object"))
        der = secured.getpeercert(binary_form=True)
        status, body = answer(line, der, self._members, self._known())
        if status != 200:
            log.warning("discovery: %s answered with %d: %s", line, status, body["message"])
        text = json.dumps(body).encode()
        # AWS's Python SDK looks for `content-length` in small letters only.
        head_out = (
            f"HTTP/1.1 {status} {_WORDS[status]}\r\nContent-Type: application/json\r\n"
            f"content-length: {len(text)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head_out.encode() + text)
        await writer.drain()


_WORDS = {200: "OK", 403: "Forbidden", 404: "Not Found"}
