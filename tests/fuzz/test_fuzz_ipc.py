"""Anything at all may be sent to the core's IPC port: its functions go on, and nothing stays.

A real core; what is fuzzed holds the token of a function that exists for that, and beside
it another function works honestly.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz_kit import damaged, open_files, pour, resident_bytes
from ipc_plant import (
    ROOT,
    ROUTER,
    SHADOW,
    Caller,
    Plant,
    context_of,
    running_plant,
    without_a_traceback,
)
from waiting import eventually

MAX_GROWTH_BYTES = 20 << 20


@pytest.fixture(scope="module")
def long_lived_plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One core for all tests that end no function."""
    with running_plant(tmp_path_factory.mktemp("plant")) as plant:
        yield plant


@pytest.fixture
def plant(long_lived_plant: Plant) -> Iterator[Plant]:
    with without_a_traceback(long_lived_plant) as plant:
        yield plant


@pytest.fixture
def plant_of_its_own(tmp_path: Path) -> Iterator[Plant]:
    """For who takes work in a function's name: the core ends a function that answers none."""
    with running_plant(tmp_path) as plant, without_a_traceback(plant):
        yield plant


def request(chance: random.Random, caller: Caller) -> bytes:
    """One request as a function might send it, sometimes with something odd in it."""
    arn = chance.choice((caller.arn, ROUTER, SHADOW, caller.arn.replace("victim", "honest"), "x"))
    path = chance.choice(
        (
            f"functions/{arn}",
            f"functions/{arn}",
            f"functions/{arn}/work",
            f"functions/{arn}/initialized",
            "cloudwatch/logs/",
            "credentialprovider/",
            "health/workers",
            "%2e%2e/%00",
        )
    )
    method = chance.choice(("GET", "POST", "POST", "PUT", "DELETE", "get"))
    token = chance.choice((caller.token, caller.token, caller.token, "Basic wrong", "", None))
    body = chance.choice((b"", b"{}", b"[]", b'{"logEvents":[{"message":1},2]}', b"\xff" * 300))
    subject = chance.choice(("up", "$aws/things/t-core/shadow/update", "+", "x" * 257, "\0", ""))
    head = [f"Content-Length: {len(body)}", f"X-Amz-InvocationId: {chance.random()}"]
    context = context_of(chance.choice((caller.arn, "other", "")), subject, "BestEffort")
    head.append(f"X-Amz-Client-Context: {chance.choice((context, context, 'e30=', '%%%'))}")
    head.append(f"X-Amz-Invocation-Type: {chance.choice(('Event', 'RequestResponse', 'Odd'))}")
    if token is not None:
        head.append(f"Authorization: {token}")
    if chance.random() < 0.05:
        odd = ("Transfer-Encoding: chunked", "Expect: 100-continue", "A: " + "x" * 20_000,
               "Content-Length: 99", ": empty", "Connection: close", "Content-Length: 131073",
               "Folded: a\r\n b", "Content-Length: 999999999999999999")  # fmt: skip
        head.append(chance.choice(odd))
    lines = "\r\n".join((f"{method} {ROOT}/{path} HTTP/1.1", *head))
    return lines.encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "requests",
    [2_000, pytest.param(50_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
)
def test_random_and_damaged_requests_disturb_no_function(
    plant_of_its_own: Plant, requests: int
) -> None:
    plant = plant_of_its_own
    chance, sent, answered, before = random.Random(20261125), 0, 0, 0
    files, turns = open_files(plant.pid), 0
    while sent < requests:
        stream = [request(chance, plant.victim) for _ in range(chance.randint(1, 6))]
        sent += len(stream)
        data = b"".join(stream)
        if chance.random() < 0.5:
            data = damaged(chance, data)
        answered += pour(chance, plant.victim.port, data).count(b"HTTP/1.1 ")
        if sent // 500 > turns:
            turns = sent // 500
            plant.turn()
        if not before and sent > requests // 5:
            before = resident_bytes(plant.pid)
    eventually(lambda: open_files(plant.pid) <= files + 2, "every descriptor is closed")
    plant.turn()
    growth = resident_bytes(plant.pid) - before
    print(f"{sent} requests, {answered} answers seen, RSS grew by {growth / 1024:.0f} KiB")
    assert growth <= MAX_GROWTH_BYTES
    assert answered > requests // 10


def test_the_limit_of_a_body_is_exact_from_the_socket_to_the_cloud(plant: Plant) -> None:
    text = b'"' + b"x" * 131_070 + b'"'
    assert len(text) == 131_072
    assert plant.honest.publish("up", text) == 200
    assert plant.honest.publish("up", text + b" ") == 413
    plant.turn()
    sizes = [len(json.dumps(payload)) for payload in plant.arrived()]
    assert sizes.count(131_072) == 1
    assert max(sizes) == 131_072


def test_who_asks_without_reading_costs_no_memory(plant: Plant) -> None:
    asks = b"GET /x HTTP/1.1\r\n\r\n" * 50_000  # five bytes of answer for one of question
    before = resident_bytes(plant.pid)
    with socket.create_connection(("127.0.0.1", plant.victim.port)) as sock:
        sock.settimeout(0.5)
        poured = 0
        with contextlib.suppress(TimeoutError):
            for _ in range(50):
                sock.sendall(asks)
                poured += len(asks)
        plant.turn()
        assert resident_bytes(plant.pid) - before < MAX_GROWTH_BYTES
        assert poured < 50 * len(asks), "the sender had to wait"
        sock.settimeout(30)
        assert sock.recv(12) == b"HTTP/1.1 401", "and is answered when it reads"


def connected(held: contextlib.ExitStack, port: int) -> socket.socket:
    sock = held.enter_context(socket.create_connection(("127.0.0.1", port)))
    sock.settimeout(30)
    return sock


@pytest.mark.soak
def test_slow_senders_get_408_while_functions_go_on(plant: Plant) -> None:
    """After the real ten seconds; the default suite asks a server with a short deadline."""
    with contextlib.ExitStack() as held:
        slow = [connected(held, plant.victim.port) for _ in range(100)]
        for number, sock in enumerate(slow):
            sock.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n"[: number % 40])
        plant.turn()
        heads = [sock.recv(64) for sock in slow]
        assert {head[:12] for head in heads} == {b"HTTP/1.1 408"}
    plant.turn()


def test_a_silent_crowd_pushes_out_its_own_oldest_while_functions_go_on(plant: Plant) -> None:
    port = plant.victim.port
    with contextlib.ExitStack() as held:
        crowd = [connected(held, port) for _ in range(1024)]
        assert crowd[0].recv(1) == b""
        # There is room for who asks, and the functions' own connections stay.
        assert status_of(port, b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")[:9] == b"HTTP/1.1 "
        assert {f["state"] for f in plant.site.status()["functions"]} == {"running"}
    eventually(lambda: _served(plant), "room again when they have gone")
    plant.turn()


def _served(plant: Plant) -> bool:
    try:
        return plant.honest.publish("up", b"1") == 200
    except (OSError, http.client.HTTPException):
        return False


def status_of(port: int, data: bytes) -> Any:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(30)
        sock.sendall(data)
        return sock.recv(12)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"411"),
        ("A: " + "x" * 16_384 + "\r\n\r\n", b"431"),
        ("Content-Length: 131073\r\n\r\n", b"413"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"400"),
        ("Content-Length: 0\r\n\r\n", b"401"),
        ("Content-Length: 0\r\nAuthorization: Basic wrong\r\n\r\n", b"403"),
    ],
)
def test_what_the_port_refuses_it_refuses_by_status(refusing_port, head, status) -> None:
    start = f"POST {ROOT}/functions/{ROUTER} HTTP/1.1\r\n"
    assert status_of(refusing_port, (start + head).encode()) == b"HTTP/1.1 " + status[:3]


@pytest.fixture(scope="module")
def refusing_port(long_lived_plant: Plant) -> int:
    return long_lived_plant.victim.port


@pytest.mark.parametrize("context", ["%%%", "\xf1\xf1", "e30", "[" * 5000])
def test_a_client_context_that_its_reader_could_not_read_is_refused(plant: Plant, context) -> None:
    """It would reach another function's process, as a header there."""
    other, before = plant.honest.arn, plant.site.of("honest")["invocations"]
    head = f"POST {ROOT}/functions/{other} HTTP/1.1\r\nAuthorization: {plant.victim.token}\r\n"
    head += f"X-Amz-Client-Context: {context}\r\nContent-Length: 2\r\n\r\n{{}}"
    assert status_of(plant.victim.port, head.encode("latin-1")) == b"HTTP/1.1 400"
    plant.turn()
    assert plant.site.of("honest")["invocations"] == before


def test_json_nested_deeper_than_anybody_reads_harms_nobody(plant: Plant) -> None:
    """Python's reader raises RecursionError for it, which is no ValueError."""
    deep = b"[" * 100_000
    for subject in ("up", "any/stats"):
        assert plant.victim.publish(subject, deep) == 200
    arn, port = plant.victim.arn, plant.victim.port
    for verb, path in (("PUT", f"functions/{arn}/initialized"), ("POST", "cloudwatch/logs/")):
        head = f"{verb} {ROOT}/{path} HTTP/1.1\r\nAuthorization: {plant.victim.token}\r\n"
        head += f"Content-Length: {len(deep)}\r\n\r\n"
        assert status_of(port, head.encode() + deep) == b"HTTP/1.1 200"
    plant.turn()


@pytest.mark.parametrize("context", ["W10=", "bnVsbA=="])
def test_a_client_context_of_any_json_reaches_a_function_that_goes_on(
    plant: Plant, context
) -> None:
    other, before = plant.honest.arn, plant.site.of("honest")
    head = f"POST {ROOT}/functions/{other} HTTP/1.1\r\nAuthorization: {plant.victim.token}\r\n"
    head += "X-Amz-Invocation-Type: Event\r\n"
    head += f"X-Amz-Client-Context: {context}\r\nContent-Length: 2\r\n\r\n{{}}"
    assert status_of(plant.victim.port, head.encode()) == b"HTTP/1.1 200"
    plant.turn()
    after = plant.site.of("honest")
    assert after["invocations"] > before["invocations"]
    assert (after["state"], after["restarts"]) == ("running", before["restarts"])
