"""Who gets through to the development cloud's AWS IoT endpoint, and what a policy forbids."""

from __future__ import annotations

import socket
import ssl

import pytest
from paho_client import Client
from things import OWN, T, allow

pytestmark = pytest.mark.xdist_group("devcloud")
both = pytest.mark.parametrize("v5", [True, False], ids=["mqtt5", "mqtt311"])


def first_byte(thing, *, certificate: bool) -> bytes:
    """What the endpoint says to a ping over TLS: empty where it ends the connection instead."""
    context = ssl.create_default_context(cafile=thing.ca)
    if certificate:
        context.load_cert_chain(thing.certificate, thing.key)
    try:
        with (
            socket.create_connection(("localhost", thing.port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"GET /role-aliases/none/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return tls.recv(1)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_without_a_certificate_of_this_cloud_nobody_gets_through(new_thing):
    thing = new_thing()

    assert first_byte(thing, certificate=True) == b"H"
    assert first_byte(thing, certificate=False) == b""


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_that_is_no_longer_active_is_cut_off_and_refused(new_thing, status):
    thing = new_thing()
    client = Client(thing)
    assert client.open() == 0

    thing.cloud.client("iot").update_certificate(
        certificateId=thing.certificate_id, newStatus=status
    )

    client.left.get(timeout=20)
    again = Client(thing)
    again.paho.connect("localhost", thing.port)
    again.paho.loop_start()
    again.left.get(timeout=20)
    assert again.connected.empty()
    client.close()
    again.close()


@both
def test_a_thing_may_not_connect_under_another_name(new_thing, v5):
    thing = new_thing()
    client = Client(thing, client_id="somebody-else", v5=v5)
    client.paho.connect("localhost", thing.port)
    client.paho.loop_start()

    if v5:
        assert client.connected.get(timeout=20)[0] == 0x87
    else:
        client.left.get(timeout=20)
        assert client.connected.empty()
    client.close()


def test_a_forbidden_publish_disconnects_and_says_not_authorized(new_thing):
    thing = new_thing()
    client = Client(thing)
    client.open()

    client.paho.publish("site/another/results", b"x", 1)

    assert client.left.get(timeout=20) == 0x87
    assert thing.cloud.messages("site/another") == []
    client.close()


def test_a_forbidden_publish_gets_a_refusing_puback_where_the_cloud_is_set_so(new_thing):
    thing = new_thing()
    thing.cloud.iot(settings={"denied_publish": "puback"})
    with Client(thing) as client:
        assert client.publish("site/another/results") == 0x87
        assert client.publish(f"site/{thing.name}/results") == 0


def test_a_forbidden_publish_closes_mqtt_311_without_a_word(new_thing):
    client = Client(new_thing(), v5=False)
    client.open()

    client.paho.publish("site/another/results", b"x", 1)

    assert client.left.get(timeout=20) != 0
    assert client.acks.empty()
    client.close()


@both
def test_a_forbidden_filter_is_refused_in_the_suback_beside_one_that_is_granted(new_thing, v5):
    thing = new_thing()
    with Client(thing, v5=v5) as client:
        found = client.subscribe(f"site/{thing.name}/a", "site/#")

    assert found == [1, 0x87 if v5 else 0x80]


def test_deny_wins_and_receive_is_checked_for_each_message(new_thing):
    deny = {**allow("iot:Receive", f"topic/site/{T}/secret/*"), "Effect": "Deny"}
    thing = new_thing([*OWN, deny])
    with Client(thing) as client:
        client.subscribe(f"site/{thing.name}/#")
        client.publish(f"site/{thing.name}/secret/a", {"n": 1})
        client.publish(f"site/{thing.name}/open", {"n": 2})

        assert client.message() == (f"site/{thing.name}/open", {"n": 2})
        assert client.messages.empty()
