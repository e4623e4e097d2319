"""Temporary credentials for a certificate, from a provider that wants mutual TLS and a name."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cable import Cable
from credentials_provider import Provider
from own_ca import OwnCa
from waiting import until

from edgecore.uplink.iot import role_alias_request
from edgecore.uplink.iot.identity import read_identity
from edgecore.uplink.iot.role_alias import NoCredentials, RoleAliasCredentials
from edgecore.uplink.iot.waiting import since_boot_s

THING = "hall-core"
HOUR_S, TEN_YEARS_S = 3600.0, 315_360_000.0


@pytest.fixture
def provider(tmp_path: Path, ca: OwnCa) -> Iterator[Provider]:
    one = Provider(tmp_path, ca)
    yield one
    one.stop()


@pytest.fixture
def cable(provider: Provider) -> Iterator[Cable]:
    one = Cable(provider.port)
    yield one
    one.close()


class Clock:
    ahead_s = 0.0

    def __call__(self) -> float:
        return since_boot_s() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def join(tmp_path: Path, ca: OwnCa, cable: Cable) -> Path:
    return ca.join(
        tmp_path, THING, 1, role_alias="hall role",
        credentials_endpoint=f"localhost:{cable.port}",
    )  # fmt: skip


@pytest.fixture
def credentials(join: Path, clock: Clock) -> RoleAliasCredentials:
    return RoleAliasCredentials(lambda: read_identity(join), clock=clock)


def test_they_are_asked_for_by_certificate_and_thing_and_held(
    credentials: RoleAliasCredentials, provider: Provider
) -> None:
    assert credentials.now().as_answer()["AccessKeyId"] == "ASIA1"
    assert credentials.now().as_answer()["AccessKeyId"] == "ASIA1"
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


def test_a_short_trouble_is_over_soon_and_a_long_one_is_asked_about_ever_more_seldom(
    credentials: RoleAliasCredentials, provider: Provider, clock: Clock
) -> None:
    provider.status = 503
    asked = []
    for _ in range(3_600):
        clock.ahead_s += 1
        with pytest.raises(NoCredentials, match="answers 503"):
            credentials.now()
        asked.append(len(provider.asked))
    assert asked[4] == 2, "again after four seconds at the latest"
    assert asked[-1] - asked[-601] <= 20, "in ten minutes, once it has lasted"


def test_a_join_file_that_was_put_right_is_asked_with_at_once(
    credentials: RoleAliasCredentials, provider: Provider, join: Path
) -> None:
    provider.status, provider.body = 404, b"no such alias"
    with pytest.raises(NoCredentials, match="answers 404"):
        credentials.now()
    provider.status, provider.body = 200, b""
    join.write_text(json.dumps({**json.loads(join.read_text()), "role_alias": "hall-role"}))
    assert credentials.now().key_id == "ASIA2"


def test_a_new_certificate_keeps_what_the_old_one_was_lent_and_another_role_nothing(
    credentials: RoleAliasCredentials, provider: Provider, join: Path, ca: OwnCa, tmp_path: Path
) -> None:
    credentials.now()
    provider.status = 403
    content = json.loads(join.read_text())
    again = ca.leaf(THING)
    content.update(certificate_pem=again.certificate_pem, key_pem=again.key_pem)
    join.write_text(json.dumps(content))
    assert credentials.now().key_id == "ASIA1"
    assert len(provider.asked) == 2, "the new one was tried"
    join.write_text(json.dumps({**content, "role_alias": "other"}))
    with pytest.raises(NoCredentials, match="role alias 'other'"):
        credentials.now()


@pytest.mark.parametrize(
    "body", [b'{"credentials": {}}', b"\x00<html>", b"[" * 60_000, b'{"credentials": 7}']
)
def test_an_answer_that_is_none_is_said(
    credentials: RoleAliasCredentials, provider: Provider, body: bytes
) -> None:
    provider.body = body
    with pytest.raises(NoCredentials, match="answer is none"):
        credentials.now()


@pytest.mark.parametrize(("date", "by"), [(True, "its own clock"), (False, "check it first")])
def test_what_has_ended_already_is_said_with_whose_clock_and_not_asked_for_all_the_time(
    credentials: RoleAliasCredentials, provider: Provider, date: bool, by: str
) -> None:
    provider.life_s, provider.date = -HOUR_S, date
    for _ in range(5):
        with pytest.raises(NoCredentials, match=by):
            credentials.now()
    assert len(provider.asked) == 1


@pytest.mark.parametrize("off_s", [TEN_YEARS_S, -TEN_YEARS_S])
def test_a_wrong_clock_of_the_device_costs_no_credentials_and_is_said(
    credentials: RoleAliasCredentials,
    provider: Provider,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    off_s: float,
) -> None:
    """How long they live is told by the provider's clock, and counted by one that nobody sets."""
    at = time.time()
    monkeypatch.setattr(role_alias_request, "time", SimpleNamespace(time=lambda: at + off_s))
    ends = credentials.now().expires_at
    assert abs(ends - (at + off_s + HOUR_S)) < 60, "good for an hour by the clock of who reads it"
    assert "this device's clock is" in str(credentials.status()["problem"])
    clock.ahead_s = HOUR_S / 2
    assert credentials.now().key_id == "ASIA1"
    monkeypatch.setattr(role_alias_request, "time", SimpleNamespace(time=lambda: at))
    clock.ahead_s = HOUR_S - 200
    assert credentials.now().key_id == "ASIA2"
    assert credentials.status()["problem"] is None


def test_all_who_ask_while_the_provider_says_nothing_wait_in_one_thread(
    credentials: RoleAliasCredentials, provider: Provider, cable: Cable
) -> None:
    async def scenario() -> None:
        cable.freeze()
        asking = [asyncio.ensure_future(credentials.get()) for _ in range(100)]
        await asyncio.wait_for(asyncio.to_thread(lambda: None), 30)
        assert [t.name for t in threading.enumerate()].count("credentials") == 1
        cable.mend()
        found = await asyncio.gather(*asking)
        assert {each["AccessKeyId"] for each in found} == {"ASIA1"}
        assert len(provider.asked) == 1

    asyncio.run(scenario())


def test_nobody_waits_for_new_ones_while_the_old_ones_serve(
    credentials: RoleAliasCredentials, provider: Provider, cable: Cable, clock: Clock
) -> None:
    async def scenario() -> None:
        await credentials.get()
        clock.ahead_s = HOUR_S - 200
        cable.freeze()
        assert (await asyncio.wait_for(credentials.get(), 30))["AccessKeyId"] == "ASIA1"
        cable.mend()
        await until(lambda: credentials.fetched == 2)
        assert (await credentials.get())["AccessKeyId"] == "ASIA2"

    asyncio.run(scenario())


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
