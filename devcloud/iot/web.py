"""HTTPS with a client certificate: the credentials provider, and publishing without MQTT."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import h11

from devcloud.iot.cloud import IotCloud
from devcloud.iot.credentials import CredentialsRefused, credentials_of
from devcloud.iot.packets import Message
from devcloud.iot.registry import Peer, Registry
from devcloud.mqtt_topics import is_topic

log = logging.getLogger("devcloud")

LARGEST_BODY = 128 * 1024
READ_SIZE = 65_536
IDLE_S = 60.0
_ALIASES, _TOPICS = "/role-aliases/", "/topics/"


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Refused(Exception):  # noqa: N818 (an answer, not an error of ours)
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Web:
    """One connection after another, each until the client leaves."""

    def __init__(self, cloud: IotCloud) -> None:
        self._cloud = cloud

    async def serve(
        self,
        first: bytes,
        stream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        peer: Peer,
        registry: Registry | None,
    ) -> None:
        reader, writer = stream
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(first)
        try:
            while (call := await _next_call(connection, reader)) is not None:
                status, body = self._answer(call, peer, registry)
                writer.write(_encoded(connection, status, body))
                await writer.drain()
                if connection.our_state is not h11.DONE:
                    return
                connection.start_next_cycle()
        except (h11.RemoteProtocolError, OSError, asyncio.TimeoutError) as error:
            log.debug("iot: https: %s", error)
        finally:
            writer.close()

    def _answer(
        self, call: Call, peer: Peer, registry: Registry | None
    ) -> tuple[int, dict[str, Any]]:
        try:
            if registry is None:
                raise Refused(403, "Access Denied")  # noqa: TRY301 (one place for all answers)
            return 200, self._do(call, peer, registry)
        except CredentialsRefused as error:
            log.info("iot: credentials refused: %s", error.why)
            return error.status, {"message": str(error)}
        except Refused as error:
            return error.status, {"message": str(error)}

    def _do(self, call: Call, peer: Peer, registry: Registry) -> dict[str, Any]:
        if call.method == "GET" and call.path.startswith(_ALIASES):
            alias, _, rest = call.path.removeprefix(_ALIASES).partition("/")
            if rest == "credentials":
                thing = call.headers.get("x-amzn-iot-thingname")
                return credentials_of(registry, peer, unquote(alias), thing)
        if call.method == "POST" and call.path.startswith(_TOPICS):
            self._publish(call, peer, registry)
            return {"message": "OK"}
        for prefix, answer in self._cloud.paths.items():
            if call.path.startswith(prefix):
                return answer(registry, peer, call.method, unquote(call.path), call.body)
        raise Refused(404, f"{call.method} {call.path} is not served")

    def _publish(self, call: Call, peer: Peer, registry: Registry) -> None:
        """Thing variables do not exist here: a policy must name the topic, or the certificate."""
        topic = unquote(call.path.removeprefix(_TOPICS))
        if not is_topic(topic):
            raise Refused(400, f"Invalid topic {topic[:80]}")
        if not registry.allows(peer, "Publish", f"topic/{topic}", registry.context(peer, None)):
            raise Refused(403, "Forbidden")
        region = self._cloud.region(registry.region)
        message = Message(topic, call.body, qos=int(call.query.get("qos") == "1"))
        region.message(message)
        self._cloud.broker.route(message)


async def _next_call(connection: h11.Connection, reader: asyncio.StreamReader) -> Call | None:
    """None at the client's end. Raises h11.RemoteProtocolError."""
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await asyncio.wait_for(reader.read(READ_SIZE), IDLE_S))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY:
                raise h11.RemoteProtocolError("the body is too large", 413)
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            break
        else:
            return None
    target = urlsplit(request.target.decode())
    query = {name: values[-1] for name, values in parse_qs(target.query).items()}
    headers = {name.decode().lower(): value.decode() for name, value in request.headers}
    return Call(request.method.decode(), target.path, query, headers, body)


def _encoded(connection: h11.Connection, status: int, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    sent = connection.send(h11.Response(status_code=status, headers=headers)) or b""
    sent += connection.send(h11.Data(data=content)) or b""
    return sent + (connection.send(h11.EndOfMessage()) or b"")
