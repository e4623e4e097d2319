"""Temporary credentials for a certificate, from a provider that wants mutual TLS and a name."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_ca import OwnCa

from edgecore.uplink.iot.identity import read_identity
from edgecore.uplink.iot.role_alias import NoCredentials, RoleAliasCredentials, expiry_text

THING = "hall-core"


class Provider:
    """As the developer guide shows it; ``status`` and ``life_s`` may be changed."""

    def __init__(self, folder: Path, ca: OwnCa) -> None:
        self.status, self.life_s, self.body = 200, 3600.0, b""
        self.asked: list[tuple[str, str | None]] = []
        certificate, key = ca.leaf("localhost").write(folder, "provider")
        (folder / "provider-ca.crt").write_text(ca.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(folder / "provider-ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                provider.asked.append((self.path, self.headers.get("x-amzn-iot-thingname")))
                self.send_response(provider.status)
                self.end_headers()
                self.wfile.write(provider.body or provider.answer())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self) -> bytes:
        number = len(self.asked)
        return json.dumps(
            {
                "credentials": {
                    "accessKeyId": f"ASIA{number}",
                    "secretAccessKey": "s",
                    "sessionToken": "t",
                    "expiration": expiry_text(time.time() + self.life_s),
                }
            }
        ).encode()


@pytest.fixture
def provider(tmp_path: Path, ca: OwnCa) -> Iterator[Provider]:
    one = Provider(tmp_path, ca)
    yield one
    one.server.shutdown()
    one.server.server_close()


class Clock:
    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def credentials(
    tmp_path: Path, ca: OwnCa, provider: Provider, clock: Clock
) -> RoleAliasCredentials:
    join = ca.join(
        tmp_path, THING, 1, role_alias="hall role",
        credentials_endpoint=f"localhost:{provider.port}",
    )  # fmt: skip
    return RoleAliasCredentials(lambda: read_identity(join), clock=clock)


def test_they_are_asked_for_by_certificate_and_thing_and_held(
    credentials: RoleAliasCredentials, provider: Provider
) -> None:
    assert credentials.now().lent()["AccessKeyId"] == "ASIA1"
    assert credentials.now().lent()["AccessKeyId"] == "ASIA1"
    assert provider.asked == [("/role-aliases/hall%20role/credentials", THING)]


def test_they_are_renewed_before_they_end(
    credentials: RoleAliasCredentials, provider: Provider, clock: Clock
) -> None:
    credentials.now()
    clock.ahead_s = 3600 - 299
    assert credentials.now().key_id == "ASIA2"


def test_old_ones_serve_while_new_ones_are_refused_and_then_no_longer(
    credentials: RoleAliasCredentials, provider: Provider, clock: Clock
) -> None:
    credentials.now()
    provider.status, provider.body = 500, b"oh"
    clock.ahead_s = 3600 - 200
    assert credentials.now().key_id == "ASIA1"
    clock.ahead_s = 3601
    with pytest.raises(NoCredentials, match="answers 500"):
        credentials.now()


def test_a_refusal_names_the_remedy_and_is_remembered(
    credentials: RoleAliasCredentials, provider: Provider, clock: Clock
) -> None:
    provider.status, provider.body = 403, b'{"message":"Access Denied"}'
    for _ in range(5):
        with pytest.raises(NoCredentials, match="iot:AssumeRoleWithCertificate on rolealias/hall"):
            credentials.now()
    assert len(provider.asked) == 1
    provider.status, provider.body = 200, b""
    clock.ahead_s = 121
    assert credentials.now().key_id == "ASIA2"


def test_an_answer_that_is_none_is_said(
    credentials: RoleAliasCredentials, provider: Provider
) -> None:
    provider.body = b'{"credentials": {}}'
    with pytest.raises(NoCredentials, match="answer is none"):
        credentials.now()


def test_a_join_file_without_a_role_alias_says_what_to_do(tmp_path: Path, ca: OwnCa) -> None:
    join = ca.join(tmp_path, THING, 1)
    with pytest.raises(NoCredentials, match="names no role_alias"):
        RoleAliasCredentials(lambda: read_identity(join)).now()


def test_boto3_signs_with_them_and_asks_for_new_ones_by_itself(
    credentials: RoleAliasCredentials, provider: Provider
) -> None:
    from edgecore.jobs.s3 import role_alias_session

    session = role_alias_session(credentials, "eu-central-1")
    frozen = session.get_credentials().get_frozen_credentials()
    assert (frozen.access_key, frozen.token) == ("ASIA1", "t")
