"""Each thing that can stand between a device and the cloud is said in one line, with a remedy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from mosquitto import Mosquitto, free_port
from own_ca import OwnCa
from uplinking import run, uplink
from waiting import until

from edgecore.uplink.iot import tls
from edgecore.uplink.iot.identity import IdentityError, read_identity
from edgecore.uplink.iot.problems import clock_problem

THING = "hall-core"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, ca: OwnCa) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path_factory.mktemp("broker"), ca).start()
    yield one
    one.stop()


def problem_with(folder: Path, join: Path, **parts) -> tuple[str, str]:
    """What the link says after its first attempt; a message waits in the spool meanwhile."""
    found: list[tuple[str, str]] = []

    async def scenario() -> None:
        async with uplink(folder / "u", join, **parts) as up:
            await up.put(1)
            await until(lambda: up.link.problem)
            assert up.link.problem is not None
            found.append((up.link.problem.kind, up.link.problem.message))
            assert up.spooler.stats()["spooled"] == 1

    run(scenario())
    assert "\n" not in found[0][1]
    return found[0]


def test_a_name_that_does_not_resolve(tmp_path: Path, ca: OwnCa) -> None:
    join = ca.join(tmp_path, THING, 1, iot_endpoint="nowhere.invalid:8883")
    kind, message = problem_with(tmp_path, join)
    assert kind == "dns"
    assert "nowhere.invalid" in message


def test_nobody_listens(tmp_path: Path, ca: OwnCa) -> None:
    kind, message = problem_with(tmp_path, ca.join(tmp_path, THING, free_port()))
    assert kind == "network"
    assert "nobody listens" in message


def test_a_server_that_is_not_trusted(tmp_path: Path, ca: OwnCa, broker: Mosquitto) -> None:
    join = ca.join(tmp_path, THING, broker.port, ca_pem=OwnCa("another").pem)
    kind, message = problem_with(tmp_path, join)
    assert kind == "trust"
    assert "ca_pem" in message


def test_the_systems_trust_where_the_join_file_has_none(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto
) -> None:
    kind, _ = problem_with(tmp_path, ca.join(tmp_path, THING, broker.port, ca_pem=None))
    assert kind == "trust", "the system does not trust a test's CA"


def test_an_expired_certificate(tmp_path: Path, ca: OwnCa, broker: Mosquitto) -> None:
    leaf = ca.leaf(THING, begins_days=-9, ends_days=-2)
    kind, message = problem_with(tmp_path, ca.join(tmp_path, THING, broker.port, leaf=leaf))
    assert kind == "certificate"
    assert "expired on" in message
    assert "provision" in message


def test_a_certificate_of_another_authority(tmp_path: Path, ca: OwnCa, broker: Mosquitto) -> None:
    leaf = OwnCa("stranger").leaf(THING)
    kind, message = problem_with(tmp_path, ca.join(tmp_path, THING, broker.port, leaf=leaf))
    assert kind in ("certificate", "not_authorized")
    assert "certificate" in message


def test_a_key_that_is_not_the_certificates(tmp_path: Path, ca: OwnCa, broker: Mosquitto) -> None:
    join = ca.join(tmp_path, THING, broker.port, key_pem=ca.leaf("x").key_pem)
    kind, message = problem_with(tmp_path, join)
    assert kind == "identity"
    assert "provision again" in message


def test_a_certificate_file_that_is_gone_and_comes_back(
    tmp_path: Path, ca: OwnCa, broker: Mosquitto
) -> None:
    leaf = ca.leaf(THING)
    join = ca.join(
        tmp_path, THING, broker.port, certificate_pem=None, certificate_path="own.crt", leaf=leaf
    )

    async def scenario() -> None:
        async with uplink(tmp_path / "u", join) as up:
            await up.put(1)
            await until(lambda: up.link.problem)
            assert up.link.problem is not None
            assert "own.crt" in up.link.problem.message
            (tmp_path / "own.crt").write_text(leaf.certificate_pem)
            await up.drained()

    run(scenario())


def test_a_clock_in_1970() -> None:
    problem = clock_problem(86_400.0)
    assert problem is not None
    assert "1970-01-02" in problem.message
    assert "timedatectl" in problem.message
    assert clock_problem(1_900_000_000.0) is None


def test_a_clock_before_the_certificates_beginning(tmp_path: Path, ca: OwnCa) -> None:
    join = ca.join(tmp_path, THING, 1, leaf=ca.leaf(THING, begins_days=3))
    problem = tls.own_certificate_problem(read_identity(join))
    assert problem is not None
    assert problem.kind == "clock"


def test_a_port_that_speaks_something_else(tmp_path: Path, ca: OwnCa) -> None:
    async def hang_up(_reader, writer) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with uplink(tmp_path / "u", ca.join(tmp_path, THING, port)) as up:
            await until(lambda: up.link.problem)
            assert up.link.problem is not None
            assert "TLS handshake failed" in up.link.problem.message
        server.close()

    run(scenario())


def test_a_proxy_that_refuses(tmp_path: Path, ca: OwnCa, broker: Mosquitto) -> None:
    async def refuse(reader, writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        join = ca.join(tmp_path, THING, broker.port, proxy=proxy)
        async with uplink(tmp_path / "u", join) as up:
            await until(lambda: up.link.problem)
            assert up.link.problem is not None
            assert up.link.problem.kind == "proxy", up.link.problem
            assert "403" in up.link.problem.message
        server.close()

    run(scenario())


def test_the_way_through_an_http_proxy(tmp_path: Path, ca: OwnCa, broker: Mosquitto) -> None:
    asked: list[bytes] = []

    async def pipe(reader, writer) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader, writer) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        proxy = f"http://user:word@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        join = ca.join(tmp_path, THING, broker.port, proxy=proxy)
        async with uplink(tmp_path / "u", join) as up:
            await up.put(3)
            await up.drained()
        server.close()

    run(scenario())
    assert asked[0].startswith(f"CONNECT localhost:{broker.port} ".encode())
    assert b"Proxy-Authorization: Basic" in asked[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[" * 9_000, "nested more than 100 deep"),
        ("[]", "holds no JSON object"),
        ('{"v": 2}', "version 2"),
        ('{"v": 1}', "iot_endpoint is missing"),
        ('{"v": 1, "iot_endpoint": "a b/c"}', "is not HOST or HOST:PORT"),
        ('{"v": 1, "iot_endpoint": "h", "thing": "t"}', "certificate_pem is missing"),
    ],
)
def test_a_join_file_that_is_none(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "x.join"
    path.write_text(content)
    with pytest.raises(IdentityError, match=said):
        read_identity(path)


def test_the_config_file_of_a_v1_core_is_an_identity(tmp_path: Path, ca: OwnCa) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "certs").mkdir()
    leaf = ca.leaf("old-core")
    leaf.write(tmp_path / "certs", "own")
    (tmp_path / "certs/root.pem").write_text(ca.pem)
    certs = f"file://{tmp_path}/certs"
    (tmp_path / "config/config.json").write_text(
        json.dumps(
            {
                "coreThing": {
                    "caPath": "root.pem",
                    "thingArn": "arn:aws:iot:eu-central-1:1:thing/old-core",
                    "iotHost": "abc-ats.iot.eu-central-1.amazonaws.com",
                    "iotMqttPort": 443,
                },
                "crypto": {
                    "caPath": f"{certs}/root.pem",
                    "principals": {
                        "IoTCertificate": {
                            "privateKeyPath": f"{certs}/own.key",
                            "certificatePath": f"{certs}/own.crt",
                        }
                    },
                },
            }
        )
    )
    identity = read_identity(tmp_path / "config/config.json")
    assert (identity.thing, identity.port, identity.region) == ("old-core", 443, "eu-central-1")
    assert tls.device_context(identity, alpn=True)


@pytest.mark.parametrize(("port", "asked"), [(443, "x-amzn-mqtt-ca"), (8883, None)])
def test_the_https_port_is_asked_for_mqtt_and_the_server_by_its_name(
    tmp_path: Path, ca: OwnCa, port: int, asked: str | None
) -> None:
    """AWS speaks MQTT on 443 only where ALPN says so, and needs the name (SNI)."""
    identity = read_identity(ca.join(tmp_path, "hall-core", port))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ca.pem)
    server.load_cert_chain(*ca.leaf("localhost").write(tmp_path, "server"))
    server.verify_mode = ssl.CERT_REQUIRED
    server.set_alpn_protocols(["x-amzn-mqtt-ca"])
    named: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: named.append(name)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = server.wrap_bio(to_server, to_client, server_side=True)
    near = tls.device_context(identity, alpn=True).wrap_bio(
        to_client, to_server, server_hostname="localhost"
    )

    for side in (near, far, near, far):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()

    assert (near.selected_alpn_protocol(), far.selected_alpn_protocol()) == (asked, asked)
    assert named == ["localhost"]
    assert far.getpeercert(), "the device has shown its certificate"
