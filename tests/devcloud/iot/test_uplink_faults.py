"""Our uplink against the development cloud's enforced certificates and policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from paho_client import Client
from things import IOT, Thing, csr_of, write_join
from uplinking import run, uplink
from waiting import until

pytestmark = pytest.mark.xdist_group("devcloud")
LISTENER = [
    {"Effect": "Allow", "Action": "iot:Connect", "Resource": [f"{IOT}:client/*"]},
    {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": [f"{IOT}:topicfilter/site/*"]},
    {"Effect": "Allow", "Action": "iot:Receive", "Resource": [f"{IOT}:topic/site/*"]},
]


def provisioned_again(thing: Thing, folder: Path) -> Thing:
    """The same thing with another key and certificate."""
    folder.mkdir()
    iot = thing.cloud.client("iot")
    made = iot.create_certificate_from_csr(
        certificateSigningRequest=csr_of(folder), setAsActive=True
    )
    (folder / "certificate.pem").write_text(made["certificatePem"])
    iot.attach_policy(policyName=f"p-{thing.name}", target=made["certificateArn"])
    iot.attach_thing_principal(thingName=thing.name, principal=made["certificateArn"])
    return Thing(thing.cloud, thing.name, folder, made["certificateArn"])


def numbers(client: Client, count: int) -> list[int]:
    """The payloads of the next messages; each number once, in the order of its first arrival."""
    found: dict[int, Any] = {}
    while len(found) < count:
        _, payload = client.message()
        found[int(payload)] = None
    return list(found)


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_that_stops_counting_is_said_and_a_new_join_file_is_enough(
    new_thing: Any, tmp_path: Path, status: str
) -> None:
    thing, listener = new_thing(), new_thing(statements=LISTENER)
    topic, join = f"site/{thing.name}/results", write_join(tmp_path / "box.join", thing)
    said: list[str] = []

    async def scenario() -> None:
        async with uplink(tmp_path / "u", join) as up:
            await up.put(5, topic)
            await up.drained()
            thing.cloud.client("iot").update_certificate(
                certificateId=thing.certificate_id, newStatus=status
            )
            await until(lambda: up.link.session is None, "cut off")
            await up.put(5, topic, first=5)
            await until(lambda: up.link.problem and "certificate" in up.link.problem.message)
            said.append(up.link.problem.message)
            assert up.spooler.stats()["spooled"] == 5
            write_join(join, provisioned_again(thing, tmp_path / "again"))
            await up.drained()
            assert up.link.problem is None

    with Client(listener) as client:
        client.subscribe("site/#")
        run(scenario())
        arrived = numbers(client, 10)

    assert arrived == list(range(10)), "nothing lost, in order"
    assert "\n" not in said[0]
    assert "check that the certificate is active" in said[0] or "provision" in said[0]
