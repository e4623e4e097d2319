"""One site file, one thing group, two boxes that hold a certificate each: a deployment's life."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cloud_boxes import Box, BoxedSite
from cloud_plant import package
from small_disks import small_disk_at
from waiting import eventually

from fanfold.device.interpreters import device_python

pytestmark = [pytest.mark.story, pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.in_order]
DISK_MIB, TAKEN_MIB = 300, 260


@dataclass
class Line:
    site: BoxedSite
    one: Box
    two: Box

    def stand(self) -> dict[str, str]:
        """Thing → what the newest job says of it."""
        return {device.thing: device.status for device in self.site.jobs()[0].devices}


@pytest.fixture(scope="module")
def line(cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A site with its first stack; the second box has a disk of its own, which is small."""
    if device_python() is None or shutil.which("node") is None:
        pytest.skip("needs node, and the Lambdas' interpreter (.venv-device): run `make setup`")
    site = BoxedSite(cloud, tmp_path_factory.mktemp("line"), f"g{uuid.uuid4().hex[:6]}")
    site.make_cloud_stack()
    one, two = Box(site, f"{site.name}-one"), Box(site, f"{site.name}-two")
    two.folder.mkdir(parents=True)
    with small_disk_at(two.state, DISK_MIB):
        yield Line(site, one, two)
        one.stop()
        two.stop()


def test_a_deployment_waits_for_boxes_that_join_later(line: Line, monkeypatch):
    site = line.site
    model = site.publish(package(site.folder, "good"))

    told = site.deploy(model, 0.0, monkeypatch)
    done = site.fanfold(
        "provision", site.name, "--thing", line.one.thing, "--csr", str(line.two.request())
    )

    assert (told["Status"], told["Waiting"]) == ("InProgress", "0")
    assert done.returncode == 0, done.stderr
    assert line.stand() == {line.one.thing: "QUEUED", line.two.thing: "QUEUED"}


def test_a_key_that_was_made_on_its_box_is_nowhere_else(line: Line):
    folder = line.site.state / "certificates" / line.site.name / line.two.thing

    kept = {path.name for path in folder.iterdir()}

    assert kept == {"certificate.pem.crt", "request.csr", f"{line.two.thing}.join"}
    assert not [path for path in folder.iterdir() if "PRIVATE KEY" in path.read_text()]


def test_a_box_that_is_off_does_not_hold_the_other_and_takes_it_later(line: Line):
    line.one.start()
    eventually(lambda: line.stand()[line.one.thing] == "SUCCEEDED", "the first box has it")
    waiting = line.stand()[line.two.thing]

    line.two.start()
    eventually(lambda: line.site.jobs()[0].outcome == "Success", "the second box has it too")

    assert waiting == "QUEUED"
    assert line.two.model() == "good.tar.gz"


def test_records_of_both_land_each_under_its_own_name(line: Line):
    line.one.drop(range(1, 4))
    line.two.drop(range(11, 14))

    eventually(
        lambda: (
            {thing: len(ids) for thing, ids in line.site.landed().items()}
            == {line.one.thing: 3, line.two.thing: 3}
        ),
        lambda: f"three records of each box, there are {line.site.landed()}",
    )

    topics = {m["topic"] for m in line.site.cloud.messages(f"fanfold/{line.site.name}/")}
    results = {topic for topic in topics if topic.endswith("/results")}
    assert results == {f"fanfold/{line.site.name}/{b.thing}/results" for b in (line.one, line.two)}


def test_one_bad_disk_is_reported_and_the_other_box_runs_the_new_model(line: Line, monkeypatch):
    site = line.site
    (line.two.state / "ballast").write_bytes(bytes(TAKEN_MIB << 20))
    model = site.publish(package(site.folder, "newer", version="1.1.0"))

    told = site.deploy(model, 100.0, monkeypatch)

    report = {device.thing: device for device in site.jobs()[0].devices}
    assert (told["Succeeded"], told["Waiting"]) == ("1", "0")
    assert report[line.two.thing].status == "FAILED"
    assert "MB" in report[line.two.thing].reason
    assert (line.one.model(), line.two.model()) == ("newer.tar.gz", "good.tar.gz")
    job = site.iot.describe_job(jobId=told["JobId"])["job"]
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 100}
    assert job["abortConfig"]["criteriaList"][0]["thresholdPercentage"] == 60


def test_rolled_back_for_the_group_by_one_command(line: Line):
    (line.two.state / "ballast").unlink()

    said = line.site.fanfold(
        "rollback", line.site.name, "--yes", "--allow-older-model", "--wait-s", "100"
    )

    assert said.returncode == 0, said.stdout + said.stderr
    assert line.stand() == {line.one.thing: "SUCCEEDED", line.two.thing: "SUCCEEDED"}
    assert (line.one.model(), line.two.model()) == ("good.tar.gz", "good.tar.gz")
