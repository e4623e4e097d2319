"""One question to a Greengrass V2 nucleus over its IPC: a value of a component's configuration.

The wire is AWS's event stream: a prelude of two lengths and a CRC32, headers, a JSON payload, a
CRC32 of it all (amazon-eventstream specification); RPC headers as in AWS's own IoT device SDK.
Frames are read by botocore. The SDK itself would bring 12 MB of native code for this question.
"""

from __future__ import annotations

import json
import socket
import struct
from binascii import crc32
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TIMEOUT_S = 5.0
_INT32, _STRING = 4, 7
_MESSAGE, _ERROR, _CONNECT, _CONNECT_ACK = 0, 1, 4, 5
_VERSION = "0.1.0"


class IpcError(Exception):
    """The nucleus does not answer, or not with a value; which and why, in one line."""


def configuration_value(path: Path, token: str, component: str, key: str) -> Any:
    """`key` of `component`'s configuration. `path`: the nucleus's socket. Raises IpcError."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(path))
            answer = _ask(connection, token, component, key)
    except OSError as error:
        raise IpcError(f"{path}: the nucleus does not answer ({error})") from error
    value = answer.get("value")
    return value.get(key) if isinstance(value, Mapping) else value


def _ask(connection: socket.socket, token: str, component: str, key: str) -> dict[str, Any]:
    connection.sendall(frame({**_head(_CONNECT, 0), ":version": _VERSION}, {"authToken": token}))
    reader = _Frames(connection)
    kind, _ = reader.next()
    if kind != _CONNECT_ACK:
        raise IpcError("the nucleus refuses the component's token")
    operation = "aws.greengrass#GetConfiguration"
    headers = {
        **_head(_MESSAGE, 1), "operation": operation,
        "service-model-type": f"{operation}Request",
    }  # fmt: skip
    connection.sendall(frame(headers, {"componentName": component, "keyPath": [key]}))
    kind, answer = reader.next()
    if kind != _MESSAGE:
        raise IpcError(f"{component} {key}: {answer.get('message') or answer or 'refused'}")
    return answer


def _head(kind: int, stream: int) -> dict[str, int | str]:
    return {":message-type": kind, ":message-flags": 0, ":stream-id": stream,
        ":content-type": "application/json"}  # fmt: skip


def frame(headers: Mapping[str, int | str], content: Mapping[str, Any]) -> bytes:
    """One message of the event stream."""
    payload, written = json.dumps(content).encode(), b"".join(map(_header, headers.items()))
    total = 12 + len(written) + len(payload) + 4
    prelude = struct.pack("!II", total, len(written))
    message = prelude + struct.pack("!I", crc32(prelude)) + written + payload
    return message + struct.pack("!I", crc32(message))


def _header(header: tuple[str, int | str]) -> bytes:
    name, value = header
    head = bytes([len(name)]) + name.encode()
    if isinstance(value, int):
        return head + bytes([_INT32]) + struct.pack("!i", value)
    return head + bytes([_STRING]) + struct.pack("!H", len(value)) + value.encode()


class _Frames:
    def __init__(self, connection: socket.socket) -> None:
        from botocore.eventstream import EventStreamBuffer

        self._connection, self._buffer = connection, EventStreamBuffer()

    def next(self) -> tuple[int, dict[str, Any]]:
        """The type and the JSON of the next message. Raises IpcError."""
        from botocore.eventstream import ParserError

        try:
            while True:
                for event in self._buffer:
                    content = json.loads(event.payload) if event.payload else {}
                    return int(event.headers[":message-type"]), content
                received = self._connection.recv(65_536)
                if not received:
                    raise IpcError("the nucleus closed the connection")
                self._buffer.add_data(received)
        except (ParserError, ValueError, KeyError) as error:
            raise IpcError(f"the nucleus's answer cannot be read ({error})") from error
