"""A broker that misbehaves as AWS IoT does: MQTT 5 over TLS, just what a publisher needs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

from own_ca import OwnCa

ACCEPT, DROP, CLOSE = 0, "drop", "close"
Answer = int | str


class ScriptedBroker:
    """``on_publish(topic, payload)`` answers: a reason code, DROP (no PUBACK) or CLOSE."""

    def __init__(self, folder: Path, ca: OwnCa, on_publish: Callable[[str, bytes], Answer]) -> None:
        certificate, key = ca.leaf("localhost").write(folder, "scripted")
        (folder / "scripted-ca.crt").write_text(ca.pem)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.load_verify_locations(folder / "scripted-ca.crt")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._on_publish = on_publish
        self.received: list[tuple[str, bytes]] = []
        self.connections = 0
        self.goodbye: bytes = b""
        self.connack_code = 0
        self.receive_maximum = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> ScriptedBroker:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while await self._packet(reader, writer):
                pass
        writer.transport.abort()

    async def _packet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        kind = (await reader.readexactly(1))[0]
        body = await reader.readexactly(await _length(reader))
        if kind >> 4 == 1:
            self.connections += 1
            properties = bytes([0x21, 0, self.receive_maximum]) if self.receive_maximum else b""
            head = bytes([0x20, 3 + len(properties), 0, self.connack_code, len(properties)])
            writer.write(head + properties)
        elif kind >> 4 == 8:
            writer.write(bytes([0x90, 4, body[0], body[1], 0, 1]))
        elif kind >> 4 == 12:
            writer.write(bytes([0xD0, 0]))
        elif kind >> 4 == 3:
            return self._publish(body, writer)
        return kind >> 4 != 14

    def _publish(self, body: bytes, writer: asyncio.StreamWriter) -> bool:
        length = int.from_bytes(body[:2], "big")
        topic, packet_id = body[2 : 2 + length].decode(), body[2 + length : 4 + length]
        payload = body[5 + length :]
        answer = self._on_publish(topic, payload)
        if answer == CLOSE:
            writer.write(self.goodbye)
            return False
        if answer == DROP:
            return True
        self.received.append((topic, payload))
        writer.write(bytes([0x40, 4, *packet_id, int(answer), 0]))
        return True


async def _length(reader: asyncio.StreamReader) -> int:
    value, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return value
