"""The journal against a model that is a dict, with crashes at any moment."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lambdas.splitter.journal import Journal
from lambdas.splitter.tables import JournalFullError

QUOTA = 64 << 20


class JournalMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = str(Path(self.folder.name) / "j.sqlite3")
        self.journal = Journal(self.path, QUOTA)
        self.durable: dict = {}
        self.next: dict = {}
        self.events: dict = {}
        self.staged: list = []
        self.forgotten: set = set()
        self.n = 0

    @rule(stream=st.sampled_from(["a", "b"]), count=st.integers(1, 4))
    def stage(self, stream, count):
        self.n += 1
        items = [{"stream": stream, "id": f"{self.n}/{i}"} for i in range(count)]
        first = self.journal.stage(stream, f"e{self.n}", items, None)
        self.staged.append((stream, f"e{self.n}", first, count))

    @rule(stream=st.sampled_from(["a", "b"]), first=st.integers(1, 20), more=st.integers(0, 5))
    def forget(self, stream, first, more):
        last = min(first + more, self.next.get(stream, 1) - 1)
        if first <= last:
            self.journal.forget(stream, first, last)
            self.forgotten |= {(stream, seq) for seq in range(first, last + 1)}

    @rule()
    def commit(self):
        self.journal.commit()
        for stream, event, first, count in self.staged:
            assert first == self.next.get(stream, 1)
            self.next[stream] = first + count
            self.events[stream, event] = (first, count)
            self.durable.update({(stream, first + i): f"{event[1:]}/{i}" for i in range(count)})
        for key in self.forgotten:
            self.durable.pop(key, None)
        self.staged, self.forgotten = [], set()

    @rule()
    def crash(self):
        epoch = self.journal.epoch
        self.journal._db.close()
        self.journal = Journal(self.path, QUOTA)
        self.staged, self.forgotten = [], set()
        assert self.journal.epoch == epoch
        items = [json.loads(text) for text, _ in self.journal.unfinished()]
        assert {(i["stream"], i["seq"]): i["id"] for i in items} == self.durable

    @invariant()
    def remembers_every_committed_event(self):
        for (stream, event), known in self.events.items():
            assert self.journal.find(stream, event)[:2] == known

    def teardown(self):
        self.journal._db.close()
        self.folder.cleanup()


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestJournal.pytestmark = [pytest.mark.slow]


def test_a_full_journal_refuses_new_events_and_drains(tmp_path):
    journal = Journal(str(tmp_path / "j.sqlite3"), 1 << 20)
    taken = []
    with pytest.raises(JournalFullError):  # noqa: PT012 - which round it is, is not known
        for n in range(10_000):
            first = journal.stage("a", f"e{n}", [{"stream": "a", "pad": "x" * 900}] * 4, None)
            journal.commit()
            taken.append(first)
    assert journal.next_seq("a") == taken[-1] + 4
    for first in taken:
        journal.forget("a", first, first + 3)
    journal.commit()

    journal.stage("a", "again", [{"stream": "a"}], None)
    journal.commit()
    assert len(list(journal.unfinished())) == 1


def test_a_damaged_journal_is_kept_aside_and_becomes_a_new_epoch(tmp_path):
    path = tmp_path / "j.sqlite3"
    journal = Journal(str(path), QUOTA)
    epoch = journal.epoch
    journal.close()
    path.write_bytes(b"this is not a database" * 400)

    fresh = Journal(str(path), QUOTA)
    assert fresh.epoch != epoch
    assert fresh.salvage is not None
    assert Path(fresh.salvage.kept).exists()
    assert not fresh.synced


def test_a_new_journal_numbers_on_at_once_after_what_the_aggregator_knows(tmp_path):
    journal = Journal(str(tmp_path / "j.sqlite3"), QUOTA)
    journal.start_after({"a": 41})
    assert journal.stage("a", "e", [{"stream": "a"}], None) == 42


def test_two_runs_of_one_journal_never_share_a_batch_id(tmp_path):
    path = str(tmp_path / "j.sqlite3")
    runs = []
    for _ in range(3):
        journal = Journal(path, QUOTA)
        runs.append(journal.run)
        journal.close()
    assert len(set(runs)) == 3
    assert len({run[8:] for run in runs}) == 3, "nor where the clock stands still"
