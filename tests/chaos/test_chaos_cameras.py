"""Cameras that do what cameras do: ids used again, uploads that stall, files written into again.

One core for all of them; each case is judged by its own images.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chaos_core import DEVICE_PYTHON
from chaos_oracle import Sent, Verdict, judge
from chaos_pictures import code_of, picture
from chaos_plant import Plant
from chaos_site import NAME

from fanfold.sending.mqtt import Console

COUNT = 30
DEADLINE_S = 60.0
Note = Callable[..., None]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    if not DEVICE_PYTHON.exists():
        pytest.skip("no .venv-device: run `make setup`")
    plant = Plant(tmp_path_factory.mktemp("cameras"), wait_ms=40, drop_folder="drop")
    plant.start()
    yield plant
    plant.stop()


def asked(plant: Plant, event: dict[str, Any]) -> dict[str, Any]:
    """What one event of cam1 is answered, with `answer`: accepted or rejected."""
    core = plant.core.running()
    assert core is not None
    topics = [f"{NAME}/images/cam1/{answer}" for answer in ("accepted", "rejected")]
    with Console(core, topics) as console:
        console.publish(f"{NAME}/images/cam1", json.dumps({"v": 1, **event}).encode())
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            message = console.receive(0.05)
            if message is not None and message.json()["id"] == event["id"]:
                return {**message.json(), "answer": message.topic.rpartition("/")[2]}
    raise AssertionError(f"no answer about {event}")


def judged(plant: Plant, sent: dict[str, Sent]) -> tuple[Verdict, list[dict[str, Any]]]:
    """Once each of `sent` has its record, and what follows has its own."""
    plant.send(2)
    end, wanted = time.monotonic() + DEADLINE_S, {**sent, **plant.sent}
    while judge(wanted, plant.records()).missing and time.monotonic() < end:
        time.sleep(0.1)
    records = [r for r in plant.records() if r.get("id") in sent]
    return judge(sent, records), records


def note(write_note: Note, case: str, verdict: Verdict, images: int, **more: Any) -> None:
    write_note(
        case,
        images=images,
        lost=len(verdict.missing),
        duplicates=len(verdict.duplicated),
        out_of_order=verdict.out_of_order,
        wrong_content=len(verdict.wrong_content),
        failed=verdict.failed,
        gaps=verdict.gaps,
        notes=more,
    )
    assert not verdict.wrong_content


def draw(plant: Plant, name: str, image_id: str) -> Sent:
    path = plant.folder / "images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(code_of(image_id)))
    return Sent(name, code_of(image_id))


def test_an_id_used_again_for_another_picture_is_refused_and_harms_no_image(
    plant: Plant, write_note: Note
) -> None:
    sent = {}
    for number in range(COUNT):
        image_id = f"again-{number}"
        sent[image_id] = draw(plant, f"cam1/{image_id}.png", image_id)
        first = asked(plant, {"id": image_id, "file": sent[image_id].file})
        draw(plant, f"cam1/{image_id}-other.png", f"other {image_id}")
        other = asked(plant, {"id": image_id, "file": f"cam1/{image_id}-other.png"})
        same = asked(plant, {"id": image_id, "file": sent[image_id].file})

        assert first["answer"] == "accepted"
        assert (other["answer"], other.get("reason")) == ("rejected", "id_reused")
        assert (same["answer"], same.get("duplicate")) == ("accepted", True)
    verdict, _ = judged(plant, sent)
    note(write_note, "ids used again for other pictures", verdict, COUNT)
    assert verdict.clean


def test_an_upload_that_stalls_halfway_is_waited_for(plant: Plant, write_note: Note) -> None:
    sent, rest = {}, {}
    before = plant.core.status()["stats"]["splitter"]["drop"].get("waiting", 0)
    for number in range(COUNT):
        name = f"drop/cam2/stalled-{number}.png"
        whole = picture(code_of(name))
        path = plant.folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole[: len(whole) * (number + 1) // (COUNT + 1)])
        sent[name], rest[path] = Sent(name, code_of(name)), whole
    plant.core.until(
        lambda status: status["stats"]["splitter"]["drop"].get("waiting", 0) >= before + COUNT // 2
    )
    for path, whole in rest.items():
        with path.open("r+b") as file:
            file.write(whole)
    verdict, _ = judged(plant, sent)
    note(write_note, "uploads that stall halfway", verdict, COUNT)
    assert verdict.clean


def test_a_file_written_into_again_never_gives_an_image_anothers_pixels(
    plant: Plant, write_note: Note
) -> None:
    """In place, not beside it: what was linked before says `changed`, then come copies."""
    sent = {}
    for number in range(COUNT):
        image_id = f"rewritten-{number}"
        sent[image_id] = draw(plant, "cam1/latest.png", image_id)
        assert asked(plant, {"id": image_id, "file": "cam1/latest.png"})["answer"] == "accepted"
    verdict, records = judged(plant, sent)
    failed = {record["reason"] for record in records if record["status"] == "failed"}
    note(write_note, "one file written into again and again", verdict, COUNT)
    assert failed <= {"changed"}
    assert verdict.failed <= 2, "from the second writing on it is copied"
    assert len(records) >= COUNT
