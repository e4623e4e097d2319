"""Credentials of a nucleus's token exchange service, which moves; AWS's own SDK is the stranger."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

from edgecore.uplink.nucleus_ipc import IpcError, configuration_value, frame
from edgecore.uplink.token_exchange import COMPONENT, token_exchange

TOKEN = "0123456789ABCDEF"
KEYS = {
    "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "secret", "Token": "session",
    "Expiration": "2099-01-01T00:00:00Z",
}  # fmt: skip


class _Nucleus(socketserver.BaseRequestHandler):
    """The few messages of a nucleus's IPC; whether they are right, AWS's own client says."""

    def handle(self) -> None:
        buffer = EventStreamBuffer()
        while received := self.request.recv(65_536):
            buffer.add_data(received)
            for event in buffer:
                self.request.sendall(self._answer(event.headers, json.loads(event.payload)))

    def _answer(self, headers: dict[str, Any], body: dict[str, Any]) -> bytes:
        stream = int(headers[":stream-id"])
        if int(headers[":message-type"]) == 4:
            accepted = int(body.get("authToken") == TOKEN)
            return frame(_head(5, accepted, stream), {})
        if body["componentName"] != COMPONENT:
            error = {
                **_head(1, 2, stream), "service-model-type": "aws.greengrass#ResourceNotFoundError",
            }  # fmt: skip
            return frame(error, {"message": "no such component"})
        head = {
            **_head(0, 2, stream),
            "service-model-type": "aws.greengrass#GetConfigurationResponse",
        }
        port = self.server.port  # type: ignore[attr-defined]
        return frame(head, {"componentName": COMPONENT, "value": {"port": port}})


def _head(kind: int, flags: int, stream: int) -> dict[str, int | str]:
    return {
        ":message-type": kind, ":message-flags": flags, ":stream-id": stream,
        ":content-type": "application/json",
    }  # fmt: skip


class _Credentials(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        right = self.headers["Authorization"] == TOKEN
        self.send_response(200 if right else 403)
        self.end_headers()
        self.wfile.write(json.dumps(KEYS if right else {}).encode())

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[socketserver.BaseServer]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def credentials() -> Iterator[int]:
    with serving(http.server.HTTPServer(("127.0.0.1", 0), _Credentials)) as server:
        yield server.server_address[1]  # type: ignore[misc]


@pytest.fixture
def nucleus(tmp_path: Path, credentials: int) -> Iterator[Path]:
    path = tmp_path / "ipc.socket"
    server = socketserver.ThreadingUnixStreamServer(str(path), _Nucleus)
    server.daemon_threads = True
    server.port = credentials  # type: ignore[attr-defined]
    with serving(server):
        yield path


def environment(nucleus: Path, port: int) -> dict[str, str]:
    return {
        "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(nucleus),
        "SVCUID": TOKEN,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}/2016-11-01/credentialprovider/",
    }


def test_without_a_nucleus_there_is_no_token_exchange() -> None:
    assert token_exchange({}) is None


def test_credentials_come_from_where_the_environment_says(nucleus: Path, credentials: int) -> None:
    exchange = token_exchange(environment(nucleus, credentials))
    assert exchange is not None
    assert exchange.fetch() == KEYS
    assert exchange.session().get_credentials().access_key == KEYS["AccessKeyId"]


def test_after_the_service_has_moved_the_nucleus_is_asked_for_its_port(
    nucleus: Path,
) -> None:
    exchange = token_exchange(environment(nucleus, 1))
    assert exchange is not None
    assert exchange.fetch() == KEYS


class _Other(socketserver.BaseRequestHandler):
    """Took the old port: its answer is of another protocol, or an answer that breaks off."""

    words = b""

    def handle(self) -> None:
        self.request.recv(65_536)
        self.request.sendall(self.words)


@pytest.mark.parametrize(
    "words",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b""],
    ids=["no HTTP", "breaks off", "nothing"],
)
def test_a_stranger_on_the_old_port_is_no_answer_and_the_nucleus_is_asked(
    nucleus: Path, words: bytes
) -> None:
    handler = type("Stranger", (_Other,), {"words": words})
    with serving(socketserver.TCPServer(("127.0.0.1", 0), handler)) as stranger:
        port = stranger.server_address[1]  # type: ignore[index]
        exchange = token_exchange(environment(nucleus, int(port)))
        assert exchange is not None
        assert exchange.fetch() == KEYS


def test_a_service_that_moves_while_the_session_lives_is_found_at_the_next_refresh(
    nucleus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 holds the session; its credentials are near their end when the port is another."""
    monkeypatch.setitem(KEYS, "Expiration", "2020-01-01T00:00:00Z")
    with serving(http.server.HTTPServer(("127.0.0.1", 0), _Credentials)) as first:
        exchange = token_exchange(environment(nucleus, first.server_address[1]))  # type: ignore[arg-type]
        assert exchange is not None
        session = exchange.session()
    monkeypatch.setitem(KEYS, "Expiration", "2099-01-01T00:00:00Z")
    monkeypatch.setitem(KEYS, "AccessKeyId", "AKIASECOND")
    assert session.get_credentials().get_frozen_credentials().access_key == "AKIASECOND"


def test_where_nobody_answers_the_reason_is_said(tmp_path: Path) -> None:
    exchange = token_exchange(environment(tmp_path / "nobody", 1))
    assert exchange is not None
    with pytest.raises(LookupError, match=r"port of aws\.greengrass\.TokenExchangeService"):
        exchange.fetch()


def test_a_token_that_is_not_the_components_is_no_answer(nucleus: Path) -> None:
    with pytest.raises(IpcError):
        configuration_value(nucleus, TOKEN, "com.example.Nobody", "port")


def test_awss_own_client_is_told_the_same_by_this_nucleus(
    nucleus: Path, credentials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames of the stand-in, and so ours, are what the AWS IoT device SDK speaks."""
    client = pytest.importorskip("awsiot.greengrasscoreipc.clientv2")
    for name, value in environment(nucleus, credentials).items():
        monkeypatch.setitem(os.environ, name, value)
    ipc = client.GreengrassCoreIPCClientV2()
    try:
        said = ipc.get_configuration(component_name=COMPONENT, key_path=["port"])
    finally:
        ipc.close()
    assert said.value == {"port": credentials}
    assert configuration_value(nucleus, TOKEN, COMPONENT, "port") == credentials
