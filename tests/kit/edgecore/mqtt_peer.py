"""A bare MQTT peer over the codec, and a recording server: no threads, no sleeps."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edgecore.core.group import Thing
from edgecore.mqtt.decoder import Decoder
from edgecore.mqtt.encoder import encode
from edgecore.mqtt.limits import Limits
from edgecore.mqtt.packets import ConnAck, Connect, Packet
from edgecore.mqtt.server import MqttServer

DEADLINE_S = 10.0


def thing(name: str, pem: str | None = None, certificate_id: str = "none") -> Thing:
    return Thing(
        id=name,
        thing_name=name,
        thing_arn=f"arn:aws:iot:us-east-1:123456789012:thing/{name}",
        certificate_arn=f"arn:aws:iot:us-east-1:123456789012:cert/{certificate_id}",
        certificate_pem=pem,
    )


MEMBERS = {name: thing(name) for name in ("cam1", "cam2", "console")}


@dataclass
class Recorder:
    """What the core would do: takes everything, unless told to be busy ``busy`` times."""

    messages: list[tuple[str, str, bytes]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    busy: int = 0

    async def __call__(self, sender: Thing, topic: str, payload: bytes) -> bool:
        if self.busy > 0:
            self.busy -= 1
            return False
        self.messages.append((sender.thing_name, topic, payload))
        self.arrived.set()
        return True

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.messages) < count:
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def serving(
    *, limits: Limits | None = None, tls: ssl.SSLContext | None = None, members=None
) -> AsyncIterator[tuple[MqttServer, Recorder]]:
    recorder = Recorder()
    server = MqttServer(
        host="127.0.0.1",
        port=0,
        tls=tls,
        members=MEMBERS if members is None else members,
        on_publish=recorder,
        limits=limits,
    )
    await server.start()
    try:
        yield server, recorder
    finally:
        await server.stop()


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._decoder = Decoder(max_payload_bytes=1 << 20)
        self._packets: list[Packet] = []

    @classmethod
    async def open(cls, server: MqttServer, tls: ssl.SSLContext | None = None) -> Peer:
        return cls(*await asyncio.open_connection("127.0.0.1", server.port, ssl=tls))

    @classmethod
    async def connect(cls, server: MqttServer, client_id: str = "cam1", **fields) -> Peer:
        peer = await cls.open(server)
        peer.send(Connect(4, client_id, **fields))
        assert await peer.receive() == ConnAck(0)
        return peer

    def send(self, *packets: Packet) -> None:
        self.writer.write(b"".join(map(encode, packets)))

    async def receive(self) -> Packet | None:
        """The next packet, None when the server closed."""
        async with asyncio.timeout(DEADLINE_S):
            while not self._packets:
                try:
                    data = await self.reader.read(65536)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self._packets.extend(self._decoder.feed(data))
        return self._packets.pop(0)

    def close(self) -> None:
        self.writer.transport.abort()
