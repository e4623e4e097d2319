"""Rogue devices of every kind at once: none is heard, and an honest camera goes on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import certificates
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_peer import DEADLINE_S, Peer, serving, thing

from edgecore.mqtt import ca
from edgecore.mqtt.encoder import encode
from edgecore.mqtt.limits import ALL_HOSTS, OWN_CONNECTS, ConnectionLimiter, Limits
from edgecore.mqtt.packets import ConnAck, Connect, PubAck, Publish, Will
from edgecore.mqtt.server import MqttServer
from edgecore.mqtt.tls import server_context

WHO = ("honest", "cam2", "expired", "stranger")


class Site:
    def __init__(self, folder: Path) -> None:
        self.devices = {
            name: certificates.make(folder, name, days=-1 if name == "expired" else 30)
            for name in WHO
        }
        self.members = {
            name: thing(name, device.pem, device.id)
            for name, device in self.devices.items()
            if name != "stranger"
        }
        self.identity = ca.ensure(folder / "ca", names=["localhost", "127.0.0.1"])
        self.tls = server_context(
            certificate=self.identity.certificate,
            key=self.identity.key,
            members=self.members.values(),
        )

    def client(self, name: str | None) -> ssl.SSLContext:
        device = self.devices[name] if name else None
        return certificates.client_context(self.identity.ca, device)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def refused(server: MqttServer, tls: ssl.SSLContext | None, *packets) -> None:
    """Say all that at once; the connection must end without a PUBACK."""
    with contextlib.suppress(OSError, ssl.SSLError):
        peer = await Peer.open(server, tls)
        peer.send(*packets)
        while (answer := await peer.receive()) is not None:
            assert not isinstance(answer, PubAck), "a rogue's publish was taken"


def rogues(site: Site, server: MqttServer) -> list:
    """One of each kind, as coroutines."""
    say = Publish("honest/image", b"forged", 1, 7)
    reserved = Publish("$aws/rules/forged/honest/image", b"{}", 1, 7)
    as_honest, will = Connect(4, "honest"), Will("honest/image", b"forged", 1)
    cam2 = site.client("cam2")
    return [
        refused(server, site.client("stranger"), as_honest, say),
        refused(server, site.client("expired"), Connect(4, "expired"), say),
        refused(server, site.client(None), as_honest, say),
        refused(server, None, as_honest, say),  # plain text on the TLS port
        refused(server, cam2, as_honest, say),  # would take the client id over
        refused(server, cam2, Connect(4, "honest", will=will), say),
        refused(server, cam2, Connect(4, "honest#tool"), say),
        refused(server, cam2, Connect(4, "stranger"), say),
        refused(server, cam2, say),  # before CONNECT
        refused(server, cam2, Connect(4, "cam2"), reserved),  # the service's topic
    ]


async def camera(site: Site, server: MqttServer, enough: asyncio.Event) -> int:
    """An honest camera: one connection for all time, each message acknowledged in order."""
    peer = await Peer.open(server, site.client("honest"))
    peer.send(Connect(4, "honest"))
    assert await peer.receive() == ConnAck(0)
    sent = 0
    while not enough.is_set() or sent < 100:
        sent += 1
        peer.send(Publish("honest/image", b"%d" % sent, 1, sent % 65_535 + 1))
        assert await peer.receive() == PubAck(sent % 65_535 + 1)
    return sent


def crowd_of(port: int, count: int, here: tuple[str, int] | None = None) -> list[socket.socket]:
    address = ("127.0.0.1", port)
    return [socket.create_connection(address, source_address=here) for _ in range(count)]


@contextlib.asynccontextmanager
async def idle_crowd(server: MqttServer, count: int) -> AsyncIterator[list[socket.socket]]:
    """TCP connections that never begin with TLS, or begin and stop."""
    crowd = await asyncio.to_thread(crowd_of, server.port, count)
    for sock in crowd[::2]:
        with contextlib.suppress(OSError):
            sock.sendall(b"\x16\x03\x01\x02\x00")
    try:
        yield crowd
    finally:
        for sock in crowd:
            sock.close()


def test_no_rogue_is_heard_and_the_honest_camera_goes_on(site: Site) -> None:
    limits = Limits(connects_per_s=1000, connect_burst=1000)

    async def scenario() -> None:
        async with serving(tls=site.tls, members=site.members, limits=limits) as (server, core):
            enough = asyncio.Event()
            honest = asyncio.create_task(camera(site, server, enough))
            await core.wait_for(1)
            async with idle_crowd(server, 90):
                for _ in range(4):
                    await asyncio.gather(*rogues(site, server))
            enough.set()
            sent = await asyncio.wait_for(honest, 6 * DEADLINE_S)
            assert [message[2] for message in core.messages] == [
                b"%d" % n for n in range(1, sent + 1)
            ]
            assert {message[0] for message in core.messages} == {"honest"}
            assert server.counters["takeovers"] == 0
            assert server.counters["refused_not_authorized"] == 8
            assert server.counters["refused_tls"] >= 16

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_connections_that_stay_in_their_handshake_are_counted_bounded_and_ended(site: Site) -> None:
    limits = Limits(max_unauthenticated_per_host=20, connect_timeout_s=1.0)

    async def scenario() -> None:
        async with serving(tls=site.tls, members=site.members, limits=limits) as (server, core):
            enough = asyncio.Event()
            honest = asyncio.create_task(camera(site, server, enough))
            await core.wait_for(1)
            async with idle_crowd(server, 60):
                async with asyncio.timeout(DEADLINE_S):
                    while server.counters["refused_overload"] < 40:
                        await asyncio.sleep(0.01)
                    assert len(server._tasks) <= 21
                    while server.counters["refused_tls"] < 20:
                        await asyncio.sleep(0.01)
                    # The silent ones were ended at their deadline: there is room again.
                    peer = await Peer.open(server, site.client("cam2"))
                    peer.send(Connect(4, "cam2"))
                    assert await peer.receive() == ConnAck(0)
            enough.set()
            await honest

    asyncio.run(asyncio.wait_for(scenario(), 60))


async def honest_camera_is_served(site: Site, port: int, address: str) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=site.client("honest"), local_addr=(address, 0)
    )
    writer.write(encode(Connect(4, "honest")))
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.readexactly(4) == encode(ConnAck(0))
    writer.transport.abort()


def test_a_flood_from_one_address_leaves_room_for_another(site: Site) -> None:
    async def scenario() -> None:
        async with serving(tls=site.tls, members=site.members) as (server, _):
            flood = await asyncio.to_thread(crowd_of, server.port, 600)
            async with asyncio.timeout(DEADLINE_S):
                while server.counters["refused_overload"] < 500:
                    await asyncio.sleep(0.01)
            await honest_camera_is_served(site, server.port, "127.0.0.2")
            for sock in flood:
                sock.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_silence_from_six_addresses_keeps_an_honest_camera_out_of_nothing(site: Site) -> None:
    async def scenario() -> None:
        async with serving(tls=site.tls, members=site.members) as (server, _):
            crowd: list[socket.socket] = []
            for host in range(2, 8):
                here = (f"127.0.0.{host}", 0)
                crowd += await asyncio.to_thread(crowd_of, server.port, 90, here)
            for _ in range(8):
                await honest_camera_is_served(site, server.port, "127.0.0.9")
            assert server.counters["evicted_unauthenticated"] > 0
            for sock in crowd:
                sock.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))


hosts = st.sampled_from(["a", "b", "c"])


@given(
    st.lists(
        st.tuples(hosts, st.sampled_from(["acquire", "authenticated", "release"])), max_size=80
    )
)
def test_the_connection_limiter_never_lets_more_in_than_the_limits_allow(moves) -> None:
    limits = Limits(max_clients=6, max_unauthenticated_per_host=3, connect_burst=1000)
    limiter, inside = ConnectionLimiter(limits, 0.0), []
    for host, move in moves:
        mine = [one for one in inside if one[0] == host]
        if move == "acquire":
            open_here = sum(not one[1] for one in mine)
            room = sum(one[1] for one in inside) < 6 and open_here < 3
            assert limiter.acquire(host, 0.0) == room
            if room:
                inside.append([host, False])
        elif move == "authenticated" and (unauthenticated := [one for one in mine if not one[1]]):
            unauthenticated[0][1] = True
            limiter.authenticated(host)
        elif move == "release" and mine:
            inside.remove(mine[0])
            limiter.release(host, authenticated=mine[0][1])


def test_each_address_has_its_own_rate_and_all_together_have_one() -> None:
    limits = Limits(connects_per_s=1, connect_burst=10, max_clients=99)
    limiter = ConnectionLimiter(limits, 0.0)
    assert [limiter.acquire("a", 0.0) for _ in range(11)] == [True] * 10 + [False]
    taken = [limiter.acquire(f"host-{n % 50}", 0.0) for n in range(500)]
    assert all(taken[: 50 * OWN_CONNECTS]), "so many each has for itself"
    assert sum(taken[50 * OWN_CONNECTS :]) == ALL_HOSTS * 10 - (10 - OWN_CONNECTS)
    assert limiter.acquire("a", 1.0)
