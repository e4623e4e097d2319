"""A site with two cores, both real and both here: a camera moves from one to the other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml
from real_core import RealCore

from fanfold.device.interpreters import device_python

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.in_order,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]

#: The three photographs of the folder that is sent, numbered from 1.
WHOLE = [(1, "ok"), (2, "ok"), (3, "ok")]


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealCore, RealCore]]:
    """The first runs; the second is started when a camera comes to it."""
    folder = tmp_path_factory.mktemp("hall")
    first, second = RealCore(folder), RealCore(folder, box="hall-b")
    volumes = {each: str(folder / f"b-{each}") for each in ("images", "state")}
    first.write(
        cores=[{"name": "b", "thing": "box-b", "volumes": volumes}],
        cameras=[{"name": "left", "core": "hall"}, {"name": "right", "core": "b"}],
    )
    first.start("--core=hall")
    yield first, second
    first.stop()
    if second.info:
        second.stop()


def send(box: RealCore, camera: str) -> None:
    box.fanfold("send", "photos", "--site", box.box, "--camera", camera)


def records(box: RealCore, camera: str) -> list[tuple[int, str]]:
    printed = box.fanfold("history", box.box, "--camera", camera, "--json")
    found = [json.loads(line) for line in printed.splitlines()]
    return sorted((record["seq"], record["status"]) for record in found)


def cameras(box: RealCore) -> set[str]:
    path = box.folder / "s/core" / box.box / "planned-group.json"
    return {each["Id"] for each in json.loads(path.read_text())["Devices"]} - {"console"}


def test_a_machine_that_does_not_say_which_core_it_is_starts_none(boxes, fanfold, monkeypatch):
    monkeypatch.chdir(boxes[0].folder)

    refused = fanfold("run", "hall", "--model", "model.tar.gz")

    assert refused.code == 2
    assert "hall has several cores: hall, b. Pass --core NAME" in refused.err


def test_the_old_box_finishes_what_it_accepted_of_a_camera_that_has_moved(boxes):
    first, _ = boxes
    assert cameras(first) == {"left"}
    first.eventually(lambda: first.worker("w1")["state"] == "ready", "both workers are heard")
    first.fanfold("drain", "--site", "hall")
    send(first, "left")  # accepted, and no worker takes it
    assert records(first, "left") == []
    first.stop()
    site = first.folder / "sites/hall.yaml"
    changed = yaml.safe_load(site.read_text())
    changed["cameras"] = [{"name": "left", "core": "b"}, {"name": "right", "core": "hall"}]
    site.write_text(yaml.safe_dump(changed))

    first.start("--core=hall")
    first.fanfold("drain", "--resume", "--site", "hall")

    assert cameras(first) == {"right"}
    first.eventually(lambda: records(first, "left") == WHOLE, "each image once, in order")


def test_the_new_box_numbers_the_moved_camera_anew_and_loses_nothing(boxes):
    first, second = boxes
    second.start()

    send(second, "left")

    assert cameras(second) == {"left"}
    assert second.info["thing"] == "box-b"
    second.eventually(lambda: records(second, "left") == WHOLE, "each image once, in order")
    assert records(first, "left") == WHOLE
