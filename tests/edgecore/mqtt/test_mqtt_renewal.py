"""A certificate that runs out is exchanged while the endpoint serves."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import certificates
import pytest
from cryptography import x509
from mqtt_peer import DEADLINE_S, Peer, serving, thing

from edgecore.mqtt import ca
from edgecore.mqtt.packets import ConnAck, Connect, PingReq, PingResp
from edgecore.mqtt.renewal import keep_renewed
from edgecore.mqtt.tls import server_context

NAMES = ["127.0.0.1"]


def shown_to(peer: Peer) -> x509.Certificate:
    tls = peer.writer.get_extra_info("ssl_object")
    return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))


def test_new_connections_see_the_renewed_certificate_and_old_ones_live_on(tmp_path: Path) -> None:
    folder, now = tmp_path / "ca", datetime.now(timezone.utc)
    old = ca.ensure(folder, names=NAMES, now=now - timedelta(days=ca.SERVER_DAYS - 1))
    device = certificates.make(tmp_path, "cam1")
    members = {"cam1": thing("cam1", device.pem, device.id)}
    tls = server_context(certificate=old.certificate, key=old.key, members=members.values())

    async def connected(server) -> Peer:
        peer = await Peer.open(server, certificates.client_context(old.ca, device))
        peer.send(Connect(4, "cam1"))
        assert await peer.receive() == ConnAck(0)
        return peer

    async def scenario() -> None:
        async with serving(tls=tls, members=members) as (server, _):
            before = await connected(server)
            renew = partial(ca.ensure, names=NAMES)
            task = asyncio.create_task(keep_renewed(folder, tls, every_s=0.01, renew=renew))
            async with asyncio.timeout(DEADLINE_S):
                probe = before
                while shown_to(probe) == shown_to(before):
                    await asyncio.sleep(0.05)
                    probe = await Peer.open(server, certificates.client_context(old.ca, device))
            before.send(PingReq())
            assert await before.receive() == PingResp()
            assert shown_to(probe).not_valid_after_utc > now + timedelta(days=ca.SERVER_DAYS - 1)
            assert not task.done()
            task.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 3 * DEADLINE_S))


def test_a_renewal_that_fails_is_said_and_tried_again(tmp_path: Path, caplog) -> None:
    folder = tmp_path / "ca"
    identity = ca.ensure(folder, names=NAMES)
    tls = server_context(certificate=identity.certificate, key=identity.key, members=[])
    tries: list[Path] = []

    def fails(where: Path) -> ca.ServerIdentity:
        tries.append(where)
        raise OSError("no space left on device")

    async def scenario() -> None:
        task = asyncio.create_task(keep_renewed(folder, tls, every_s=0.01, renew=fails))
        async with asyncio.timeout(DEADLINE_S):
            while len(tries) < 2:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert "is not renewed: no space left" in caplog.text
