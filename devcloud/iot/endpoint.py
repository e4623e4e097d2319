"""The one TLS port: mutual TLS, then MQTT or HTTPS by the first byte.

On AWS the port and the ALPN name tell them apart; here a device needs one address.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from pathlib import Path

from devcloud.iot.authority import Authority
from devcloud.iot.cloud import IotCloud
from devcloud.iot.connection import Connection
from devcloud.iot.registry import Peer, Registry
from devcloud.iot.web import Web

log = logging.getLogger("devcloud")

HOST = "127.0.0.1"
FIRST_BYTE_S = 30.0
HANDSHAKE_S = 15.0
START_TIMEOUT_S = 15.0
_CONNECT = 0x10


def start(folder: Path, endpoint_url: str, port: int = 0) -> IotCloud:
    """Serve in a thread of its own; returns once the port is open. Raises OSError."""
    authority = Authority(folder)
    loop = asyncio.new_event_loop()
    cloud = IotCloud(loop, authority, endpoint_url)
    opened: asyncio.Future[int] = loop.create_future()
    ready = threading.Event()
    opened.add_done_callback(lambda _: ready.set())
    threading.Thread(target=_run, args=(cloud, port, opened), name="iot", daemon=True).start()
    if not ready.wait(START_TIMEOUT_S):
        raise OSError(f"the AWS IoT endpoint did not open within {START_TIMEOUT_S:.0f} s")
    cloud.port = opened.result()
    return cloud


def _run(cloud: IotCloud, port: int, opened: asyncio.Future[int]) -> None:
    asyncio.set_event_loop(cloud.loop)
    cloud.loop.run_until_complete(_serve(cloud, port, opened))


async def _serve(cloud: IotCloud, port: int, opened: asyncio.Future[int]) -> None:
    web = Web(cloud)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _welcome(cloud, web, reader, writer)
        except (OSError, EOFError, asyncio.TimeoutError):
            writer.close()
        except Exception:
            log.exception("iot: a connection failed")
            writer.close()

    try:
        context = cloud.authority.server_context()
        server = await asyncio.start_server(
            accept, HOST, port, ssl=context, ssl_handshake_timeout=HANDSHAKE_S
        )
    except OSError as error:
        opened.set_exception(error)
        return
    opened.set_result(server.sockets[0].getsockname()[1])
    await asyncio.gather(server.serve_forever(), cloud.keep_time())


async def _welcome(
    cloud: IotCloud, web: Web, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True)
    address = writer.get_extra_info("peername")[0]
    peer = Peer.of(der or b"", address)
    registry = Registry.knowing(peer)
    first = await asyncio.wait_for(reader.readexactly(1), FIRST_BYTE_S)
    if first[0] != _CONNECT:
        await web.serve(first, (reader, writer), peer, registry)
        return
    if registry is None:
        log.info("iot: certificate %s… is unknown or not active", peer.certificate_id[:12])
        writer.close()
        return
    await Connection(cloud.broker, (reader, writer), peer, registry).run(first)
