"""Mutual TLS: the right certificate opens exactly one door."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from pathlib import Path

import certificates
import pytest
from mqtt_peer import Peer, serving, thing

from edgecore.mqtt import ca
from edgecore.mqtt.packets import ConnAck, Connect, Publish
from edgecore.mqtt.tls import server_context


@pytest.fixture
def site(tmp_path: Path):
    devices = {
        name: certificates.make(tmp_path, name, days=-1 if name == "old" else 30)
        for name in ("cam1", "cam2", "old", "stranger")
    }
    members = {n: thing(n, d.pem, d.id) for n, d in devices.items() if n != "stranger"}
    identity = ca.ensure(tmp_path / "ca", names=["localhost", "127.0.0.1"])
    context = server_context(
        certificate=identity.certificate, key=identity.key, members=members.values()
    )

    @asynccontextmanager
    async def open_site():
        async with serving(tls=context, members=members) as (server, core):
            yield server, core

    return open_site, devices, identity.ca


async def _connect(server, context, client_id):
    try:
        peer = await Peer.open(server, context)
        peer.send(Connect(4, client_id), Publish("a", b"x", 1, 1))
        return await peer.receive()
    except (ssl.SSLError, ConnectionError):
        return None


@pytest.mark.parametrize(
    ("shown", "client_id", "expected"),
    [
        ("cam1", "cam1", ConnAck(0)),
        ("cam1", "cam2", ConnAck(5)),
        ("cam1", "cam1#tool", ConnAck(2)),
        ("cam1", "stranger", ConnAck(2)),
        ("stranger", "cam1", None),
        ("old", "old", None),
        (None, "cam1", None),
    ],
)
def test_only_a_members_own_valid_certificate_gets_in(site, shown, client_id, expected) -> None:
    open_site, devices, ca_path = site

    async def scenario() -> None:
        async with open_site() as (server, core):
            context = certificates.client_context(ca_path, devices[shown] if shown else None)
            assert await _connect(server, context, client_id) == expected
            if expected != ConnAck(0):
                assert core.messages == []

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_tls_older_than_1_2_and_plain_text_are_refused(site) -> None:
    open_site, devices, ca_path = site

    async def scenario() -> None:
        async with open_site() as (server, _):
            plain = await Peer.open(server)
            plain.send(Connect(4, "cam1"))
            assert await plain.receive() is None
            context = certificates.client_context(ca_path, devices["cam1"])
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            assert await _connect(server, context, "cam1") is None

    with pytest.warns(DeprecationWarning, match="TLSv1"):
        asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_certificate_trusted_through_a_ca_must_still_have_the_things_id(tmp_path: Path) -> None:
    device, other = (certificates.make(tmp_path, name) for name in ("cam1", "cam2"))
    members = {"cam1": thing("cam1", None, device.id), "cam2": thing("cam2", None, other.id)}
    identity = ca.ensure(tmp_path / "ca", names=["127.0.0.1"])
    context = server_context(
        certificate=identity.certificate,
        key=identity.key,
        members=members.values(),
        extra_ca=device.certificate,
    )

    async def scenario() -> None:
        async with serving(tls=context, members=members) as (server, _):
            client = certificates.client_context(identity.ca, device)
            assert await _connect(server, client, "cam1") == ConnAck(0)
            assert await _connect(server, client, "cam2") == ConnAck(5)

    asyncio.run(asyncio.wait_for(scenario(), 30))
