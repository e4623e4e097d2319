"""A damaged database at start: kept aside, read up to the damage, and never silently empty."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from pathlib import Path

import pytest
from sim import Sim
from sim_oracle import CLEAN
from splitter_kit import Bench

from contract.durable.database import PAGE_BYTES
from lambdas.aggregator.store import RESULTS, Store
from lambdas.splitter.journal import Journal

QUOTA = 64 << 20
IMAGES = 300
ROWS_PER_PAGE = 30
"""At most, of the rows below."""


def journal_file(folder: Path) -> Path:
    """A journal with `IMAGES` unfinished images of one stream, all of it in the main file."""
    path = folder / "j.sqlite3"
    journal = Journal(str(path), QUOTA)
    journal.start_after({"a": 100})
    for n in range(IMAGES):
        journal.stage("a", f"e{n}", [{"stream": "a", "id": f"e{n}", "pad": "x" * 120}], None)
    journal.commit()
    journal.close()
    return path


def store_file(folder: Path) -> Path:
    path = folder / "s.sqlite3"
    store = Store(str(path), QUOTA, ("local",))
    store.adopt("epoch-1")
    for n in range(1, IMAGES + 1):
        store.log(RESULTS, "a", (n, n, 1), json.dumps({"seq": n, "status": "ok", "pad": "x" * 120}))
        store.hold("b", n + 1, json.dumps({"seq": n + 1, "pad": "y" * 120}))
    store.stream_at("a", IMAGES + 1)
    store.stream_at("b", 1)
    store.move("local", 10)
    store.commit()
    store.close()
    return path


def pages_of(path: Path) -> int:
    return path.stat().st_size // PAGE_BYTES


def damage(path: Path, page: int, with_bytes: bytes) -> str:
    """Overwrite one page; the digest of the whole file afterwards."""
    with path.open("r+b") as file:
        file.seek(page * PAGE_BYTES)
        file.write(with_bytes)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest_of(kept: str) -> str:
    return hashlib.sha256(Path(kept).read_bytes()).hexdigest()


GARBAGE = (bytes(PAGE_BYTES), os.urandom(PAGE_BYTES))


@pytest.mark.slow
@pytest.mark.parametrize("garbage", GARBAGE, ids=["zeros", "random"])
def test_whichever_page_of_a_journal_is_garbage_the_rest_of_it_is_saved(tmp_path, garbage):
    count = pages_of(journal_file(tmp_path))
    assert count > 20
    whole = saved_most = 0
    for page in range(count):
        folder = tmp_path / str(page)
        folder.mkdir()
        path = journal_file(folder)
        before = Journal(str(path), QUOTA)
        epoch = before.epoch
        before.close()
        digest = damage(path, page, garbage)
        journal = Journal(str(path), QUOTA)
        items = [json.loads(text) for text, _ in journal.unfinished()]
        seqs = [item["seq"] for item in items]
        assert seqs == sorted(set(seqs))
        assert set(seqs) <= set(range(101, 101 + IMAGES))
        assert all(item["id"] == f"e{item['seq'] - 101}" for item in items)
        if journal.salvage is None:
            # A page that nothing uses, or one that quick_check forgives: nothing is missing.
            assert len(items) == IMAGES
            whole += 1
        else:
            assert digest_of(journal.salvage.kept) == digest
            same = journal.epoch == epoch
            assert same == (not {"meta", "streams"} & set(journal.salvage.broken))
            # Numbers go on after every number that was given out, or after what is told.
            assert journal.next_seq("a") >= (101 + IMAGES if same else max(seqs, default=0) + 1)
            saved_most += len(items) >= IMAGES - ROWS_PER_PAGE
            assert journal.salvage.rows["images"] >= len(items)
        journal.close()
    # The first page is the file's key, and the root of `images` leads to all of them.
    assert whole + saved_most >= count - 4


@pytest.mark.slow
@pytest.mark.parametrize("garbage", GARBAGE, ids=["zeros", "random"])
def test_whichever_page_of_a_store_is_garbage_the_rest_of_it_is_saved(tmp_path, garbage):
    count = pages_of(store_file(tmp_path))
    saved_most = 0
    for page in range(count):
        folder = tmp_path / str(page)
        folder.mkdir()
        path = store_file(folder)
        digest = damage(path, page, garbage)
        store = Store(str(path), QUOTA, ("local",))
        rows, held = store.after(0, 10_000), store.held()
        if store.salvage is not None:
            assert digest_of(store.salvage.kept) == digest
            known = store.cursors["local"]
            if "log" not in store.salvage.broken:
                assert store.log_rows_lost == 0
            elif rows and known:
                assert store.log_rows_lost == IMAGES - known - sum(r.n > known for r in rows)
            assert {stream for stream, _, _ in held} <= set(store.streams())
        assert all(json.loads(row.body)["seq"] == row.first for row in rows)
        saved_most += len(rows) >= IMAGES - ROWS_PER_PAGE and len(held) >= IMAGES - ROWS_PER_PAGE
        # What is logged from now on comes after every cursor: no sink would see it else.
        store.log(RESULTS, "a", (999, 999, 1), '{"seq":999}')
        store.commit()
        (last,) = [row for row in store.after(0, 10_000) if row.first == 999]
        assert last.n > max(store.cursors["local"], *(row.n for row in rows), 0)
        store.close()
    assert saved_most >= count - 8


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9])
def test_a_journal_cut_short_gives_what_lies_before_the_cut(tmp_path, keep):
    path = journal_file(tmp_path)
    size = int(path.stat().st_size * keep) // PAGE_BYTES * PAGE_BYTES
    os.truncate(str(path), size)
    journal = Journal(str(path), QUOTA)
    seqs = [json.loads(text)["seq"] for text, _ in journal.unfinished()]
    assert seqs == sorted(set(seqs))
    if size:
        assert journal.salvage is not None
        assert Path(journal.salvage.kept).stat().st_size == size
        # The roots lie in front; between them and the cut, all that was there.
        assert len(seqs) >= (IMAGES * keep / 2 - ROWS_PER_PAGE if keep >= 0.5 else 0)
        assert len(seqs) > 0 or keep < 0.5
    assert journal.stage("a", "new", [{"stream": "a"}], None) > max(seqs, default=0)
    journal.commit()


def test_a_file_that_is_no_database_is_kept_and_told_in_log_and_stats(tmp_path, caplog):
    bench = Bench(tmp_path)
    path = Path(bench.env["FANFOLD_STATE_DIR"]) / "splitter" / "journal.sqlite3"
    assert path.exists()
    bench.splitter.journal.close()
    path.write_bytes(b"this is not a database" * 400)
    again = Bench(tmp_path)
    said = again.splitter.journal.salvage
    assert Path(said.kept).read_bytes() == b"this is not a database" * 400
    assert set(said.broken) == {"meta", "streams", "images", "events", "seen"}
    assert "is damaged" in caplog.text
    assert said.for_stats()["kept"] in caplog.text
    assert not again.splitter.journal.notes.drained


@pytest.mark.parametrize("seed", range(4))
def test_images_in_a_damaged_page_end_as_dropped_and_all_others_as_usual(tmp_path, seed):
    sim = Sim(tmp_path, seed)
    sim.manifest("cam1", "m1", 400)
    sim.run(0.4)
    sim.kill("splitter", down_s=0.5)
    path = next((Path(sim.env["FANFOLD_STATE_DIR"]) / "splitter").glob("*.sqlite3"))
    _checkpoint(path)
    page = _last_page_of_images(path)
    damage(path, page, GARBAGE[1])
    sim.run(1.0)
    assert sim.splitter.journal.salvage is not None
    sim.manifest("cam1", "m2", 20)
    sim.settle()

    found = sim.verdict()
    lost = [r["seq"] for r in sim.cloud if r["status"] == "dropped"]
    assert found == CLEAN
    assert 0 < len(lost) <= 60
    assert {r["reason"] for r in sim.cloud if r["status"] == "dropped"} == {"journal_lost"}


def _checkpoint(path: Path) -> None:
    with sqlite3.connect(str(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _last_page_of_images(path: Path) -> int:
    """The page that holds the newest image, as an offset from the file's start in pages."""
    with sqlite3.connect(str(path)) as db:
        (item,) = db.execute("SELECT item FROM images ORDER BY seq DESC LIMIT 1").fetchone()
    db.close()
    return path.read_bytes().rindex(item.encode()) // PAGE_BYTES


def test_what_a_damaged_journal_lost_is_told_once_also_across_a_second_restart(tmp_path):
    sim = Sim(tmp_path)
    sim.manifest("cam1", "m1", 400)
    sim.run(0.4)
    sim.kill("splitter", down_s=0.5)
    path = next((Path(sim.env["FANFOLD_STATE_DIR"]) / "splitter").glob("*.sqlite3"))
    _checkpoint(path)
    damage(path, _last_page_of_images(path), GARBAGE[0])
    sim.run(0.6)
    sim.kill("splitter", down_s=0.1)  # what it found missing is in the journal by now, or not
    sim.settle()
    assert sim.verdict() == CLEAN
    assert any(record["status"] == "dropped" for record in sim.cloud)
