"""Journal and store of different ages: whoever is behind is told, no number means two images.

The judge is what left for the cloud: of each (stream, seq) one record, or the same one again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from sim import Sim

from contract.volumes import INBOX, LOST, NUMBERS

PARTS = ("splitter", "aggregator")


class Plant:
    """A simulated site whose parts' folders are copied and put back."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sim = Sim(root / "site", FANFOLD_MAX_WAIT_S="3")
        self.sent = 0
        self.copies: dict[str, Path] = {}
        self.pair: dict[str, Path] = {}

    def send(self, count: int) -> None:
        for _ in range(count):
            self.sent += 1
            self.sim.image("cam1", {"id": f"e{self.sent}", "files": [f"{self.sent}.jpg"]})

    @property
    def images(self) -> Path:
        return Path(self.sim.env["FANFOLD_IMAGES_DIR"])

    def folder(self, part: str) -> Path:
        return Path(self.sim.env["FANFOLD_STATE_DIR"]) / part

    def copy(self, part: str) -> None:
        """As a backup tool does it: while the part runs."""
        self.copies[part] = self.root / f"copy-{part}-{self.sent}-{self.sim.now:.2f}"
        shutil.copytree(self.folder(part), self.copies[part], dirs_exist_ok=True)

    def put_back(self, part: str) -> None:
        self.sim.kill(part)
        shutil.rmtree(self.folder(part))
        shutil.copytree(self.copies[part], self.folder(part))

    def lose_and_put_back(self, lost: str, restored: str) -> None:
        """At once: one comes back without its disk, the other with a copy."""
        self.put_back(restored)
        self.sim.lose(lost)

    def lose_log(self, part: str) -> None:
        """The newest part of the database, which is not in its file yet, is gone."""
        self.sim.kill(part)
        for log in self.folder(part).glob("*.sqlite3-wal"):
            log.unlink()

    def copy_both(self) -> None:
        for part in PARTS:
            self.copy(part)
        self.pair = dict(self.copies)

    def forget_on_the_volume(self) -> None:
        """The images volume is of the same backup, or another one."""
        (self.images / NUMBERS).unlink(missing_ok=True)

    def put_back_both(self) -> None:
        """From one backup: only the images volume may know what came after it."""
        self.copies = dict(self.pair)
        for part in PARTS:
            self.put_back(part)

    def settled(self) -> None:
        self.sim.settle()
        self.sim.run(5.0)

    def contradictions(self) -> list[tuple]:
        told: dict[tuple, set] = {}
        for record in self.sim.cloud + self.sim.late:
            if record["status"] != "gap":
                said = (record["status"], record.get("id"), json.dumps(record.get("output")))
                key = (record["epoch"], record["stream"], record["seq"])
                told.setdefault(key, set()).add(said)
        return [(key, said) for key, said in told.items() if len(said) > 1]

    def ids_of_ok(self) -> set[str]:
        return {r["id"].split("/")[0] for r in self.sim.cloud if r["status"] == "ok"}


@pytest.fixture
def plant(tmp_path):
    plant = Plant(tmp_path)
    yield plant
    plant.sim.close()


def test_a_journal_that_is_older_than_the_store_goes_on_above_it(plant):
    plant.send(20)
    plant.settled()
    plant.copy("splitter")
    plant.send(30)
    plant.settled()
    plant.put_back("splitter")
    plant.send(25)
    plant.settled()

    assert plant.contradictions() == []
    assert len(plant.ids_of_ok()) == 75
    assert plant.sim.splitter.link.journal_behind == 30


def test_a_store_that_is_older_than_the_journal_makes_no_second_record(plant):
    plant.send(20)
    plant.settled()
    plant.copy("aggregator")
    plant.send(30)
    plant.settled()
    plant.put_back("aggregator")
    plant.send(25)
    plant.settled()

    assert plant.contradictions() == []
    assert len(plant.ids_of_ok()) == 75
    assert plant.sim.splitter.link.store_behind == 30
    assert plant.sim.splitter.link.state(plant.sim.now) == "ready"


def test_a_journal_of_an_epoch_that_was_replaced_goes_on_too(plant):
    plant.send(5)
    plant.settled()
    plant.copy("splitter")
    for _ in range(2):
        plant.send(10)
        plant.settled()
        plant.put_back("splitter")
        plant.sim.run(2.0)
    plant.send(10)
    plant.settled()

    assert plant.contradictions() == []
    assert len(plant.ids_of_ok()) == 35


@pytest.mark.parametrize("part", PARTS)
def test_a_database_without_its_log_goes_on(plant, part):
    plant.send(40)
    plant.settled()
    plant.lose_log(part)
    plant.send(20)
    plant.settled()

    assert plant.contradictions() == []
    assert len(plant.ids_of_ok()) == 60


def test_a_store_that_is_millions_behind_is_no_reason_to_wait(plant):
    plant.send(3)
    plant.settled()
    plant.copy("aggregator")
    plant.sim.kill("splitter")
    plant.sim.run(1.0)
    plant.sim.splitter.journal.start_after({"cam1": 5_000_000})
    plant.send(3)
    plant.settled()
    plant.put_back("aggregator")
    plant.send(3)
    plant.settled()

    assert len(plant.ids_of_ok()) == 9
    assert plant.contradictions() == []


def test_both_restored_from_one_backup_give_no_key_again(plant):
    plant.send(20)
    plant.settled()
    plant.copy_both()
    plant.send(30)
    plant.settled()
    plant.forget_on_the_volume()
    plant.put_back_both()
    plant.send(25)
    plant.settled()

    assert plant.contradictions() == []
    assert len(plant.ids_of_ok()) == 75
    repeated = [r["seq"] for r in plant.sim.cloud]
    assert len(repeated) > len(set(repeated)), "the numbers are given again, the epoch is new"


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
    finished = plant.images / INBOX / "cam2" / "000000000001"
    finished.parent.mkdir(exist_ok=True)
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


@pytest.mark.parametrize("lost", PARTS)
def test_one_lost_and_the_other_older_at_once_say_nothing_twice_under_a_key(plant, lost):
    """In the copy a number is open whose image has its record soon after."""
    [restored] = set(PARTS) - {lost}
    plant.send(10)
    plant.settled()
    plant.sim.freeze("w0", 1.0)
    plant.send(12)
    plant.sim.run(0.5)
    open_then = plant.sim.splitter.backlog.outstanding
    plant.copy(restored)
    plant.settled()
    assert open_then
    assert len(plant.ids_of_ok()) == 22
    plant.lose_and_put_back(lost, restored)
    plant.send(25)
    plant.settled()

    assert plant.contradictions() == []
    newest = {f"e{plant.sent - n}" for n in range(25)}
    assert newest <= plant.ids_of_ok()


def test_results_of_before_the_restore_do_not_take_the_place_of_new_images(plant):
    """A worker lives on and still has the old images under numbers that are given again."""
    plant.send(10)
    plant.settled()
    plant.copy_both()
    plant.sim.service_s = 0.3
    plant.send(8)
    plant.sim.run(0.2)
    plant.put_back_both()
    plant.send(8)
    plant.settled()

    assert plant.contradictions() == []
    newest = {f"e{plant.sent - n}" for n in range(8)}
    assert newest <= plant.ids_of_ok()


class Ages(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.plant = Plant(Path(self.folder.name))

    @rule(count=st.integers(1, 12), seconds=st.floats(0.1, 2.0))
    def send(self, count, seconds):
        self.plant.send(count)
        self.plant.sim.run(seconds)

    @rule(part=st.sampled_from(PARTS))
    def copy(self, part):
        if getattr(self.plant.sim, part) is not None:
            self.plant.copy(part)

    @precondition(lambda self: self.plant.copies)
    @rule(data=st.data(), down_s=st.floats(0.5, 2.0))
    def put_back(self, data, down_s):
        part = data.draw(st.sampled_from(sorted(self.plant.copies)))
        if getattr(self.plant.sim, part) is not None:
            self.plant.put_back(part)
            self.plant.sim.run(down_s)

    def both_run(self):
        return self.plant.sim.splitter is not None and self.plant.sim.aggregator is not None

    @precondition(lambda self: self.plant.copies)
    @rule(data=st.data(), down_s=st.floats(0.5, 2.0))
    def lose_one_and_put_back_the_other(self, data, down_s):
        restored = data.draw(st.sampled_from(sorted(self.plant.copies)))
        [lost] = set(PARTS) - {restored}
        if self.both_run():
            self.plant.lose_and_put_back(lost, restored)
            self.plant.sim.run(down_s)

    @rule(seconds=st.floats(0.1, 2.0))
    def freeze(self, seconds):
        """Its images stay open while others have their records."""
        self.plant.sim.freeze("w0", seconds)

    @rule()
    def copy_both(self):
        if self.both_run():
            self.plant.copy_both()

    @rule()
    def forget_on_the_volume(self):
        self.plant.forget_on_the_volume()

    @precondition(lambda self: self.plant.pair)
    @rule(down_s=st.floats(0.5, 2.0))
    def put_back_both(self, down_s):
        if self.both_run():
            self.plant.put_back_both()
            self.plant.sim.run(down_s)

    @rule(part=st.sampled_from((*PARTS, "w0")))
    def kill(self, part):
        if getattr(self.plant.sim, part, True) is not None:
            self.plant.sim.kill(part)
            self.plant.sim.run(0.5)

    def teardown(self):
        self.plant.send(3)
        self.plant.settled()
        assert self.plant.contradictions() == []
        newest = {f"e{self.plant.sent - n}" for n in range(3)}
        assert newest <= self.plant.ids_of_ok()
        self.plant.sim.close()
        self.folder.cleanup()


TestAges = Ages.TestCase
TestAges.settings = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
