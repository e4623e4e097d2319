"""Journal and store of one backup: what the images volume saw after it is said, and kept."""

from __future__ import annotations

import json

import pytest

from contract.volumes import LOST, NUMBERS, kept_name


def test_what_the_images_volume_saw_after_a_backup_of_both_is_said_and_no_number_given_again(plant):
    plant.send(20)
    plant.settled()
    plant.copy_both()
    plant.send(30)
    plant.settled()
    plant.sim.run(1.0)
    plant.put_back_both()
    plant.send(25)
    plant.settled()

    assert plant.contradictions() == []
    assert len(plant.ids_of_ok()) == 75
    numbers = [r["seq"] for r in plant.sim.cloud]
    assert len(numbers) == len(set(numbers))
    leftovers = plant.sim.splitter.leftovers.describe()
    assert leftovers == {"after_backup": 30, "without_record": 0}
    assert plant.sim.splitter.link.describe()["store_behind"] == 30


def test_an_image_accepted_after_a_backup_of_both_ends_as_journal_lost_and_is_kept(plant):
    plant.sim.image("cam2", {"id": "other", "files": ["other.jpg"]})
    plant.send(10)
    plant.settled()
    plant.copy_both()
    plant.send(5)
    plant.settled()
    for worker in plant.sim.workers:
        plant.sim.freeze(worker, 10.0)
    (plant.images / "cam1").mkdir()
    for number in range(7):
        name = f"cam1/late-{number}.jpg"
        (plant.images / name).write_bytes(b"\xff\xd8late")
        plant.sim.image("cam1", {"id": f"late-{number}", "files": [name]})
    plant.sim.run(2.0)
    assert not plant.sim.unaccepted
    plant.put_back_both()
    finished = plant.images / kept_name("cam2", 1)
    finished.parent.mkdir(parents=True, exist_ok=True)
    finished.write_bytes(b"")
    plant.send(5)
    plant.settled()

    assert plant.contradictions() == []
    assert not finished.exists()
    assert not (plant.images / LOST / "cam2").exists()
    gone = [r for r in plant.sim.cloud if r.get("reason") == "journal_lost"]
    assert [r["seq"] for r in gone] == list(range(16, 23))
    assert len(list((plant.images / LOST / "cam1").iterdir())) == 7
    leftovers = plant.sim.splitter.leftovers.describe()
    assert leftovers == {"after_backup": 12, "without_record": 7}
    assert len(plant.ids_of_ok()) == 21


def test_the_numbers_of_another_journal_on_the_volume_are_nobodys(plant):
    plant.send(3)
    plant.settled()
    plant.sim.kill("splitter")
    (plant.images / NUMBERS).write_text(json.dumps({"journal": "x", "next": {"cam1": 900}}))
    plant.send(3)
    plant.settled()

    assert plant.sim.splitter.leftovers.after_backup == 0
    assert max(r["seq"] for r in plant.sim.cloud) == 6


@pytest.mark.parametrize("line", ["", "{", '{"journal": 5}', "[]", "\0" * 50])
def test_a_torn_line_on_the_volume_is_as_none(plant, line):
    plant.send(3)
    plant.settled()
    plant.sim.kill("splitter")
    (plant.images / NUMBERS).write_text(line)
    plant.send(3)
    plant.settled()

    assert plant.sim.splitter.leftovers.after_backup == 0
    assert len(plant.ids_of_ok()) == 6
