"""One store is older than the others: a backup was restored, or its log was left behind.

Rows that go on with their images share a core, which meets them one after another.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from chaos_plant import Plant, Report
from chaos_shared import Shared
from waiting import eventually

from contract.durable.aside import SET_ASIDE
from contract.volumes import LOST

STORES = {
    "journal": ("state/splitter", "journal.sqlite3"),
    "store": ("state/aggregator", "store.sqlite3"),
    "spool": ("core", "spool.sqlite3"),
}


def database(plant: Plant, store: str) -> Path:
    folder, _ = STORES[store]
    [path] = (plant.folder / folder).glob("*.sqlite3")
    return path


def files_of(path: Path) -> list[Path]:
    return [part for part in path.parent.glob(f"{path.name}*") if part.suffix != ".reserve"]


#: Restored together: nobody is left who knows what came after the backup.
RESTORED = {**{store: [store] for store in STORES}, "journal and store": ["journal", "store"]}


@pytest.mark.parametrize("what", RESTORED)
def test_a_restored_backup_loses_and_repeats_no_image(
    shared: Shared, report: Report, tmp_path: Path, what: str
) -> None:
    """A hot copy, as a backup tool makes it; what came later is known to the others only."""
    plant = shared()
    plant.send(100)
    plant.verdict()
    backups = {database(plant, store): tmp_path / f"backup-{store}" for store in RESTORED[what]}
    for path, backup in backups.items():
        copy_files(path, backup)
    plant.send(100)
    plant.verdict()
    plant.stop()
    for path, backup in backups.items():
        put_back(path, backup)
    plant.start()
    plant.send(100)
    report(f"backup of the {what} restored", plant)


def test_images_accepted_after_a_backup_of_both_stores_are_counted_named_and_kept(
    make_plant: Callable[..., Plant], write_note: Callable[..., None], tmp_path: Path
) -> None:
    """Neither store has heard of them; the images volume has, and still holds their files."""
    plant = make_plant()
    plant.start()
    plant.send(100)
    plant.verdict()
    both = ("journal", "store")
    for store in both:
        copy_files(database(plant, store), tmp_path / f"backup-{store}")
    plant.send(60)
    plant.verdict()
    for name in ("w0", "w1"):
        os.kill(plant.core.functions()[name]["pid"], signal.SIGSTOP)
    plant.send(40)
    plant.core.kill(everything=True)
    for store in both:
        put_back(database(plant, store), tmp_path / f"backup-{store}")
    plant.start()
    plant.send(100)
    eventually(
        lambda: len(plant.verdict(deadline_s=0).missing) == 40, lambda: str(plant.verdict(0)), 60
    )
    gone = plant.verdict(deadline_s=0).missing
    numbers = plant.core.status()["stats"]["splitter"]["numbers"]
    said = [r for r in plant.records() if r.get("reason") == "journal_lost"]
    kept = [path for path in (plant.folder / "images" / LOST).rglob("*") if path.is_file()]
    assert len(gone) == len(said) == len(kept) == numbers["without_record"] == 40
    assert numbers["after_backup"] == 100
    write_note(
        "backup of both stores restored, images without a record by then",
        runs=1, images=len(plant.sent), lost=len(gone) - len(said), notes={"journal_lost": 40},
        duplicates=len(plant.verdict(deadline_s=0).duplicated), out_of_order=0,
    )  # fmt: skip


def test_a_lost_journal_beside_an_older_store_gives_no_key_a_second_record(
    make_plant: Callable[..., Plant], report: Report, tmp_path: Path
) -> None:
    """In the backup a number is open: its image had its record soon after, and nobody knows."""
    plant = make_plant(wait_ms=20)
    plant.start()
    plant.send(40)
    plant.verdict()
    backup = backup_with_an_open_number(plant, tmp_path)
    plant.verdict()
    plant.stop()
    put_back(database(plant, "store"), backup)
    for part in files_of(database(plant, "journal")):
        part.unlink()
    plant.start()
    plant.send(100)
    report("journal lost and store older", plant)
    assert any(r.get("reason") == "journal_lost" for r in plant.records())


def backup_with_an_open_number(plant: Plant, folder: Path) -> Path:
    """Of a store that holds records back behind a number without one: a frozen worker has its
    image, until the splitter gives that to another one a few seconds later."""
    parts = plant.core.functions()
    for attempt in range(5):
        with frozen(parts["w0"]["pid"]):
            plant.send(60)
            until = time.monotonic() + 10
            while time.monotonic() < until:
                backup = folder / f"backup-{attempt}-{until - time.monotonic()}"
                with frozen(parts["aggregator"]["pid"]):
                    copy_files(database(plant, "store"), backup)
                if held_back(backup):
                    return backup
                shutil.rmtree(backup)
        plant.verdict()
    raise AssertionError("in none of 5 tries a record was held back")


def held_back(backup: Path) -> int:
    """Records that a store's copy holds back; of a copy of it, since reading it changes it."""
    looked = backup.with_name(f"{backup.name}-looked")
    shutil.copytree(backup, looked)
    with contextlib.closing(sqlite3.connect(looked / STORES["store"][1])) as store:
        count = int(store.execute("SELECT count(*) FROM held").fetchone()[0])
    shutil.rmtree(looked)
    return count


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    process = psutil.Process(pid)
    process.suspend()
    try:
        until = time.monotonic() + 10
        while process.status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < until, process.status()
        yield
    finally:
        process.resume()


def test_databases_that_are_replaced_or_removed_in_use_are_named_until_the_core_starts_again(
    shared: Shared, report: Report, tmp_path: Path
) -> None:
    """Renamed over (journal, spool) and deleted (store); put back while the core is stopped."""
    plant = shared()
    plant.send(20)
    plant.verdict()
    aside = {database(plant, store): tmp_path / f"aside-{store}" for store in STORES}
    # By a second name, so that the files in use are there to be put back.
    for path, kept in aside.items():
        os.link(path, kept)
    for store in ("journal", "spool"):
        path = database(plant, store)
        shutil.copy(path, tmp_path / "copy")
        (tmp_path / "copy").replace(path)
    database(plant, "store").unlink()

    def named() -> dict[str, dict[str, object]]:
        said = plant.core.not_ready()
        return {r["subject"]: r for r in said if r["code"] == "database_replaced"}

    of = {"splitter": "journal", "aggregator": "store", "core": "spool"}
    eventually(lambda: len(named()) == len(of), lambda: str(plant.core.not_ready()), 30)
    for part, reason in named().items():
        file = STORES[of[part.rpartition(" ")[2]]][1]
        assert file in str(reason["problem"])
        assert "stop the core" in str(reason["remedy"])
    plant.stop()
    for path, kept in aside.items():
        kept.replace(path)
    plant.start()
    plant.send(20)
    report("databases replaced in use, put back", plant)
    assert named() == {}


@pytest.mark.parametrize("store", STORES)
def test_a_backup_that_is_copied_into_an_open_store_loses_and_repeats_no_image(
    shared: Shared, report: Report, tmp_path: Path, store: str
) -> None:
    """`cp` over it while the core runs: the inode stays, and SQLite sees nothing."""
    plant = shared()
    plant.send(100)
    plant.verdict()
    path = database(plant, store)
    shutil.copy(path, tmp_path / "backup")
    plant.send(100)
    plant.verdict()
    inode = path.stat().st_ino
    path.write_bytes((tmp_path / "backup").read_bytes())
    assert path.stat().st_ino == inode
    plant.send(100)
    report(f"backup copied into the open {store}", plant)
    aside = [part for part in path.parent.iterdir() if SET_ASIDE in part.name]
    assert inode in [part.stat().st_ino for part in aside]


def copy_files(path: Path, backup: Path) -> None:
    backup.mkdir()
    for part in files_of(path):
        shutil.copy(part, backup)


def put_back(path: Path, backup: Path) -> None:
    for part in files_of(path):
        part.unlink()
    for part in backup.iterdir():
        shutil.copy(part, path.parent)


@pytest.mark.parametrize("store", STORES)
def test_a_store_whose_log_was_left_behind_loses_and_repeats_no_image(
    shared: Shared, report: Report, store: str
) -> None:
    plant = shared()
    plant.send(200)
    plant.verdict()
    plant.core.kill(everything=True)
    for part in files_of(database(plant, store)):
        if part.name.endswith("-wal"):
            part.unlink()
    plant.start()
    plant.send(100)
    report(f"{store} without its log", plant)
