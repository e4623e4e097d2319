"""Files that version 0.1 wrote are taken over: nothing lost, nothing twice, order kept.

`tests/kit/lambdas/formats/*-1.sql` are what that version's code had left: four images
without a record (one of them a file of the drop folder), one gap, records on their way.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
from site_environment import environment
from splitter_kit import JPEG, Bench, event

from lambdas.aggregator.engine import Aggregator
from lambdas.aggregator.tables import FORMAT as STORE_FORMAT
from lambdas.common.bus import RecordingBus
from lambdas.common.settings import aggregator_settings
from lambdas.splitter.tables import FORMAT as JOURNAL_FORMAT

FORMATS = Path(__file__).resolve().parents[2] / "kit" / "lambdas" / "formats"


def of_version_0_1(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True)
    with sqlite3.connect(str(path)) as database:
        database.executescript((FORMATS / f"{name}-1.sql").read_text())
    database.close()


@pytest.fixture
def bench(tmp_path):
    of_version_0_1(tmp_path / "state/splitter/journal.sqlite3", "journal")
    bench = Bench(tmp_path)
    bench.heartbeat()
    return bench


def test_the_images_of_an_old_journal_are_dispatched_under_their_numbers(bench):
    bench.step(after_s=1.0)
    found = {(item["stream"], item["seq"]) for item in bench.work()}

    assert found == {("cam1", 3), ("cam1", 5), ("cam1", 6), ("cam2", 1)}
    assert bench.splitter.journal.salvage is None
    assert bench.image(JPEG + b"new")["seq"] == 7


def test_ids_of_an_old_journal_are_still_duplicates(bench):
    answer = bench.image(event(id="c2", file="cam1/0.jpg"), camera="cam2")

    assert (answer["answer"], answer["seq"], answer["duplicate"]) == ("accepted", 1, True)


def test_a_drop_folders_file_of_an_old_journal_is_not_taken_again(bench):
    folder = bench.images / "drop" / "cam1"
    folder.mkdir(parents=True)
    (folder / "d.jpg").write_bytes(bytes(18))
    os.utime(str(folder / "d.jpg"), (1000, 1000))
    for _ in range(4):
        bench.step(after_s=1.5)

    assert bench.splitter.journal.next_seq("cam1") == 7


def test_an_old_journal_has_the_new_format_afterwards_also_for_a_second_start(bench):
    bench.restart()
    (found,) = bench.splitter.journal._db.execute("PRAGMA user_version").fetchone()

    assert found == JOURNAL_FORMAT
    assert bench.splitter.backlog.outstanding == 4


def test_a_journal_of_a_version_to_come_is_kept_and_its_images_go_on(tmp_path):
    path = tmp_path / "state/splitter/journal.sqlite3"
    of_version_0_1(path, "journal")
    with sqlite3.connect(str(path)) as database:
        database.execute(f"PRAGMA user_version={JOURNAL_FORMAT + 7}")
    database.close()
    bench = Bench(tmp_path)

    assert bench.splitter.backlog.outstanding == 4
    assert len(list(path.parent.glob("*.corrupt-*"))) >= 1
    assert bench.splitter.journal.salvage.broken == ()


def test_an_old_store_goes_on_at_its_place(tmp_path):
    of_version_0_1(tmp_path / "state/aggregator/store.sqlite3", "store")
    env = environment(tmp_path)
    aggregator = Aggregator(aggregator_settings(env), RecordingBus(), 1.0)
    aggregator.step([], 2.0, 2.0)
    (found,) = aggregator.store._db.execute("PRAGMA user_version").fetchone()

    assert found == STORE_FORMAT
    assert aggregator.streams["cam1"].next == 5
    assert aggregator.streams["cam1"].gaps == {3}
    assert json.dumps(aggregator.jobs.open["j"]["images"]) == "2"
    assert aggregator.store.runs.of("cam1", 3) == aggregator.store.epoch, "the key of before"
