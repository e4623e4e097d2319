"""A core with only a certificate while what it is lent, or the certificate itself, is in trouble:
results go on, what needs the role waits, and every image has its one record, in IoT and in S3."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chaos_certificate import CERTIFIED, LENDER, NOBODY, THING, CertificateSide, certificate_side
from chaos_flow import Flow, versions
from chaos_oracle import judge
from chaos_plant import SOAK, Plant, Report
from chaos_site import NAME
from shims import shim
from waiting import eventually

from edgecore.uplink.iot.link import STEADY_S

#: What is lent lives so long: whoever needs it asks anew all the time, and feels a fault at once.
LIFE_S = 3.0
JUMPS_S = {"in 1970": -56 * 365 * 86_400, "ten years on": 10 * 365 * 86_400}
ROUNDS, KILLS = 60, 0.3

pytestmark = pytest.mark.in_order


class Certified(Plant):
    """One plant for all rows: each of them leaves it as it was."""

    side: CertificateSide
    offset: Path

    def link(self) -> dict[str, Any]:
        return self.core.status()["cloud"]["link"]

    def lacks(self) -> str:
        """Why there are no new credentials."""
        return str(self.core.status()["cloud"]["credentials"]["problem"] or "")

    def stands(self) -> None:
        """The link has stood so long that a cut is its first: each further one is waited out
        longer before the core connects again."""
        since = self.link()["since"]
        eventually(lambda: since == self.link()["since"] < time.time() - STEADY_S, "a steady link")

    def has_nothing_left(self) -> bool:
        """What was lent last has ended."""
        ends = self.core.status()["cloud"]["credentials"]["expires_at"]
        return bool(ends < time.time())

    def job_waits_for(self) -> str:
        return str(self.core.status()["cloud"]["jobs"]["problem"] or "")

    def refused(self) -> list[dict[str, Any]]:
        """Topics of messages that the far side never takes."""
        found: list[dict[str, Any]] = self.core.status()["cloud"]["quarantined"]["topics"]
        return found

    def more_in(self, far_side: Callable[[], list[Any]], count: int = 20) -> None:
        had = len(far_side())
        eventually(lambda: len(far_side()) >= had + count, f"results after {had}", 120)

    def all_in_s3(self) -> None:
        side = self.side
        wanted = {(r["epoch"], r["stream"], r["seq"]) for r in self.records()}
        eventually(lambda: len(side.stored()) >= len(wanted), "the outbox has caught up", 90)
        assert judge(self.sent, side.stored()).clean
        assert {(r["epoch"], r["stream"], r["seq"]) for r in side.stored()} == wanted


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    folder = tmp_path_factory.mktemp("certified")
    with certificate_side(folder) as (side, arguments):
        plant = Certified(folder, **CERTIFIED)
        plant.side, plant.offset = side, folder / "offset"
        side.provider.life_s = LIFE_S
        plant.offset.write_text("0")
        plant.core.preload(
            {"LD_PRELOAD": str(shim("clock")), "CLOCK_OFFSET_FILE": str(plant.offset)}
        )
        plant.use_jobs(side, arguments)
        plant.start()
        eventually(lambda: side.execution()["status"] == "SUCCEEDED", lambda: str(side.execution()))
        yield plant
        plant.stop()


@contextmanager
def _answering(side: CertificateSide, status: int, body: bytes) -> Iterator[None]:
    side.provider.status, side.provider.body = status, body
    yield
    side.provider.status, side.provider.body = 200, b""


@contextmanager
def _away(side: CertificateSide) -> Iterator[None]:
    side.lending.cut()
    yield
    side.lending.mend()


@contextmanager
def _half_open(side: CertificateSide) -> Iterator[None]:
    side.lending.freeze()
    yield
    side.lending.mend()


@contextmanager
def _without_rights(side: CertificateSide) -> Iterator[None]:
    side.trust(NOBODY)
    yield
    side.trust(LENDER)


@contextmanager
def _expired(side: CertificateSide) -> Iterator[None]:
    side.provider.life_s = -3600.0
    yield
    side.provider.life_s = LIFE_S


FAULTS: dict[str, tuple[Callable[[CertificateSide], Any], str]] = {
    "away": (_away, "the TLS handshake failed"),
    "without rights": (_without_rights, "needs iot:AssumeRoleWithCertificate"),
    "answers 503": (lambda side: _answering(side, 503, b"oh"), "answers 503 (oh); tried again"),
    "answers garbage": (lambda side: _answering(side, 200, b"\x00<html>"), "answer is none"),
    "lends what has ended": (_expired, "gave credentials that ended at"),
}


#: Those of the short form: nobody there, no rights, of no use.
SHORT = ("away", "without rights", "lends what has ended")


@pytest.mark.parametrize(
    "fault", [each if each in SHORT else pytest.param(each, marks=SOAK) for each in FAULTS]
)
def test_an_endpoint_in_trouble_holds_only_back_what_needs_the_role(
    plant: Certified, report: Report, fault: str
) -> None:
    makes, says = FAULTS[fault]
    with Flow(plant):
        with makes(plant.side):
            eventually(lambda: says in plant.lacks(), plant.lacks, 30)
            plant.more_in(plant.records)
        eventually(lambda: not plant.lacks(), plant.lacks, 30)
    report(f"credentials endpoint {fault}", plant)
    plant.all_in_s3()


def test_an_endpoint_that_takes_connections_and_says_nothing_holds_nobody_else_up(
    plant: Certified, report: Report
) -> None:
    with Flow(plant):
        with _half_open(plant.side):
            eventually(plant.has_nothing_left, "what was lent has ended", 30)
            plant.more_in(plant.records)
        plant.more_in(plant.side.stored)
    report("credentials endpoint half-open", plant)
    plant.all_in_s3()


def test_a_job_whose_files_need_the_role_waits_for_it(plant: Certified, report: Report) -> None:
    side = plant.side
    with Flow(plant):
        with _without_rights(side):
            eventually(lambda: plant.lacks() and plant.has_nothing_left(), plant.lacks, 30)
            wanted = plant.deploy(version="2.0.0")
            eventually(lambda: "iot:AssumeRole" in plant.job_waits_for(), plant.job_waits_for, 30)
            assert side.execution()["status"] == "IN_PROGRESS"
        eventually(lambda: side.execution()["status"] == "SUCCEEDED", lambda: str(side.execution()))
        assert plant.core.status()["group"]["deployment"] == wanted
        plant.more_in(plant.records)
    report("job whose files need the role, credentials refused meanwhile", plant)
    assert versions(plant, "cam1") == versions(plant, "cam2") == ["1.0.0", "2.0.0"]
    plant.all_in_s3()


def test_a_certificate_that_does_not_count_for_a_while_delays_only(
    plant: Certified, report: Report
) -> None:
    side = plant.side
    with Flow(plant):
        side.set_certificate("INACTIVE")
        eventually(lambda: "certificate" in str(plant.link()["message"]), lambda: str(plant.link()))
        eventually(lambda: "must be active" in plant.lacks(), plant.lacks, 30)
        side.set_certificate("ACTIVE")
        plant.more_in(plant.records)
        plant.more_in(side.stored)
    report("certificate inactive, active again", plant)
    plant.all_in_s3()


def test_a_certificate_is_exchanged_while_images_flow(plant: Certified, report: Report) -> None:
    side = plant.side
    with Flow(plant):
        former = side.rotate()
        side.set_certificate("REVOKED", former)
        plant.more_in(plant.records)
        plant.more_in(side.stored)
        assert side.thing is not None
        [held] = side.cloud.iot()["connections"]
        assert held["certificate"] == side.thing.certificate_id
    report("certificate exchanged, the former one revoked", plant)
    plant.all_in_s3()


@pytest.mark.parametrize("way", ["puback", pytest.param("disconnect", marks=SOAK)])
def test_a_topic_that_the_policy_forbids_costs_its_own_messages_only(
    plant: Certified, report: Report, way: str
) -> None:
    side, topic = plant.side, f"fanfold/{NAME}/{THING}/jobs"
    if way == "disconnect":
        plant.stands()
    side.cloud.iot(settings={"denied_publish": way})
    side.forbid(topic)
    plant.send(40, job=way)
    plant.send(2, job=way, last=True)
    plant.flow(lambda: topic in {each["topic"] for each in plant.refused()})
    plant.more_in(plant.records, 0)
    report(f"one topic forbidden by the policy, said by {way}", plant)
    side.forbid()
    plant.all_in_s3()


@pytest.mark.parametrize("jump", ["in 1970", pytest.param("ten years on", marks=SOAK)])
def test_a_clock_by_which_no_certificate_is_valid_delays_only(
    plant: Certified, report: Report, jump: str
) -> None:
    side = plant.side
    if jump == "ten years on":
        plant.stands()
    with Flow(plant):
        plant.offset.write_text(str(JUMPS_S[jump]))
        side.mqtt.cut()
        eventually(lambda: not plant.link()["connected"], "the link is cut")
        side.mqtt.mend()
        eventually(lambda: plant.link()["problem"] == "clock", lambda: str(plant.link()))
        plant.offset.write_text("0")
        plant.more_in(plant.records)
        plant.more_in(side.stored)
    report(f"clock {jump}, link cut, certificate only", plant)
    plant.all_in_s3()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_an_hour_of_such_troubles_with_kills_loses_and_repeats_nothing(
    plant: Certified, report: Report
) -> None:
    chance = random.Random(11)
    for _ in range(ROUNDS):
        makes, _ = FAULTS[chance.choice(list(FAULTS))]
        with Flow(plant):
            with makes(plant.side):
                held_until = time.monotonic() + chance.uniform(1, 40)
                eventually(lambda end=held_until: time.monotonic() > end, "the time of a fault")
            eventually(lambda: not plant.lacks(), plant.lacks, 150)
        if chance.random() < KILLS:
            plant.kill_core()
    report("credentials in trouble again and again, the core killed", plant, runs=ROUNDS)
    plant.all_in_s3()
