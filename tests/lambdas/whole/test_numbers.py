"""Journal and store of different ages: whoever is behind is told, no number means two images.

The judge is what left for the cloud: of each (stream, seq) one record, or the same one again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from backups import PARTS, Plant
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule


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
