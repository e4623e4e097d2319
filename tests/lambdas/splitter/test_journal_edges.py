"""What one commit of the journal writes, forgets and keeps, one thing at a time."""

from __future__ import annotations

import json

import pytest

from contract.durable.salvage import Salvage
from lambdas.splitter import journal as journal_module
from lambdas.splitter.journal import Journal, Known
from lambdas.splitter.repair import is_item as is_item_of
from lambdas.splitter.repair import repair
from lambdas.splitter.tables import JournalFullError

QUOTA = 64 << 20


@pytest.fixture
def reopened(tmp_path):
    """Opens the journal, after a crash if one was open before."""
    opened = []

    def reopen() -> Journal:
        for journal in opened:
            journal._db.close()
        opened.append(Journal(str(tmp_path / "j.sqlite3"), QUOTA))
        return opened[-1]

    yield reopen
    opened[-1]._db.close()


def staged(journal: Journal, event: str, count: int = 1, terminal=None) -> int:
    return journal.stage("a", event, [{"stream": "a"} for _ in range(count)], terminal)


def unfinished(journal: Journal) -> list:
    return [(json.loads(text)["seq"], terminal) for text, terminal in journal.unfinished()]


def test_events_of_every_run_are_remembered_beside_each_other(reopened):
    expected = {}
    for run in range(3):
        journal = reopened()
        for n in range(3):
            expected[f"{run}/{n}"] = staged(journal, f"{run}/{n}", 2)
            journal.commit()
    assert {e: journal.find("a", e) for e in expected} == {
        e: Known(first, 2) for e, first in expected.items()
    }
    assert journal.find("b", "0/0") is None


def test_the_oldest_events_are_forgotten_beyond_the_window_of_the_spec(reopened, monkeypatch):
    assert journal_module.REMEMBERED_IDS == 100_000
    monkeypatch.setattr(journal_module, "REMEMBERED_IDS", 5)
    monkeypatch.setattr(journal_module, "_PRUNE_EVERY", 1)
    journal = reopened()
    for n in range(1, 10):
        staged(journal, f"e{n}")
        journal.commit()
    assert [n for n in range(1, 10) if journal.find("a", f"e{n}")] == [5, 6, 7, 8, 9]
    assert len(unfinished(journal)) == 9, "their images stay"


def test_staged_numbers_and_events_are_known_before_the_commit_and_not_after_a_refusal(reopened):
    journal = reopened()
    assert (staged(journal, "e1", 3), staged(journal, "e2")) == (1, 4)
    assert journal.find("a", "e1") == Known(1, 3)
    assert (journal.next_seq("a"), journal.holds("a", 1)) == (5, False)
    journal.unstage()
    assert journal.find("a", "e1") is None
    assert (journal.next_seq("a"), journal.dirty) == (1, False)
    staged(journal, "e3")
    journal.commit()
    assert [journal.holds("a", seq) for seq in (1, 2)] == [True, False]
    assert journal.streams() == ["a"]


def test_files_of_a_drop_folder_are_found_by_path_and_mark(reopened):
    journal = reopened()
    staged(journal, "e")
    journal.stage_file("x.jpg", "m1", 1)
    assert journal.dirty
    for _ in range(2):
        assert journal.find_file("x.jpg", "m1") == 1
        assert journal.find_file("x.jpg", "m2") is None
        assert journal.find_file("y.jpg", "m1") is None
        journal.commit()
        assert not journal.dirty
        journal = reopened()
    assert journal.seen_files() == {"x.jpg": "m1"}
    journal.forget_files(["x.jpg"])
    assert reopened().seen_files() == {}


def test_a_terminal_status_is_written_once_and_survives(reopened):
    journal = reopened()
    staged(journal, "e", 2)
    journal.commit()
    assert not journal.dirty
    journal.terminate("a", 2, "failed")
    assert journal.dirty
    journal.commit()
    assert not journal.dirty
    assert unfinished(reopened()) == [(1, None), (2, "failed")]


def test_a_forget_is_written_once_and_takes_its_whole_range(reopened):
    journal = reopened()
    staged(journal, "e", 5)
    journal.commit()
    journal.forget("a", 2, 4)
    assert journal.dirty
    journal.commit()
    assert not journal.dirty
    assert unfinished(reopened()) == [(1, None), (5, None)]


def test_judged_images_without_an_entry_are_durable_at_once_and_take_nothing_away(reopened):
    journal = reopened()
    staged(journal, "e")
    journal.commit()
    journal.add_terminal([{"stream": "a", "seq": seq} for seq in (1, 2)], "dropped")
    assert unfinished(reopened()) == [(1, None), (2, "dropped")]


def test_closing_commits_what_was_staged(reopened):
    journal = reopened()
    staged(journal, "e")
    journal.close()
    assert unfinished(reopened()) == [(1, None)]


@pytest.mark.parametrize("reason", ["quota", "disk"])
def test_a_commit_without_room_still_forgets(tmp_path, monkeypatch, reason):
    """What frees space does not fail together with what fills it."""
    journal = Journal(str(tmp_path / "j.sqlite3"), 1 << 20)
    first = journal.stage("a", "e0", [{"stream": "a", "pad": "x" * 900}] * 400, None)
    journal.commit()
    last = first + 399
    made = []
    monkeypatch.setattr(journal._room, "make", made.append)
    if reason == "disk":
        monkeypatch.setattr(journal._room, "fits", lambda _db, _bytes: False)
    journal.forget("a", first + 1, last)
    journal.terminate("a", first, "dropped")
    journal.stage("a", "huge", [{"stream": "a", "pad": "x" * (2 << 20)}], None)
    with pytest.raises(JournalFullError):
        journal.commit()
    assert unfinished(journal) == [(first, "dropped")]
    assert made == [journal._db], "the log was emptied first"
    assert (journal.next_seq("a"), journal.find("a", "huge"), journal.dirty) == (
        last + 1, None, False,
    )  # fmt: skip
    journal.forget("a", first, first)
    journal.commit()
    assert unfinished(journal) == []


def test_the_fault_points_of_a_commit_lie_around_it(reopened, monkeypatch):
    journal, named = reopened(), []
    monkeypatch.setattr(
        journal_module, "fault", lambda name: named.append((name, journal._db.in_transaction))
    )
    staged(journal, "e")
    journal.commit()
    around = [("splitter.before_commit", True), ("splitter.after_commit", False)]
    assert named == around
    journal.forget("a", 1, 1)
    journal.commit()
    assert named == [*around, ("splitter.before_forget", True), *around]


def test_numbers_start_after_what_the_aggregator_knows_and_never_go_back(reopened):
    journal = reopened()
    staged(journal, "e", 9)
    journal.commit()
    assert not journal.synced
    journal.start_after({"a": 4, "b": 41})
    assert journal.synced
    for _ in range(2):
        assert (journal.next_seq("a"), journal.next_seq("b"), journal.next_seq("c")) == (10, 42, 1)
        journal = reopened()
    assert journal.synced


def test_drained_workers_are_remembered(reopened):
    journal = reopened()
    assert journal.notes.drained == []
    assert len(bytes.fromhex(journal.epoch)) == 4
    journal.notes.remember_drained(["w1", "w2"])
    assert reopened().notes.drained == ["w1", "w2"]


@pytest.mark.parametrize("broken", ["images", "meta", "streams"])
def test_after_damage_what_is_garbage_goes_and_numbers_go_on_after_what_is_left(reopened, broken):
    journal = reopened()
    staged(journal, "e", 5)
    journal.start_after({"b": 9})
    journal.commit()
    epoch = journal.epoch
    journal._db.execute("UPDATE images SET item='{' WHERE seq=5")
    journal._db.execute("DELETE FROM streams WHERE stream='a'")
    repair(journal._db, Salvage("kept", {}, (broken,)))
    journal = reopened()
    assert [seq for seq, _ in unfinished(journal)] == [1, 2, 3, 4]
    assert (journal.next_seq("a"), journal.next_seq("b")) == (6, 10)
    same = broken == "images"
    assert (journal.epoch == epoch, journal.synced) == (same, same)


@pytest.mark.parametrize(
    ("text", "is_item"),
    [
        ('{"stream":"a","seq":3}', True),
        ('{"stream":"a","seq":4}', False),
        ('{"stream":"b","seq":3}', False),
        ('{"stream":"a","se', False),
        ('["a",3]', False),
        (None, False),
    ],
)
def test_a_rescued_row_counts_only_if_it_is_the_item_that_was_written(text, is_item):
    assert is_item_of(text, "a", 3) == is_item
