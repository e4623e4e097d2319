"""One store is older than the others: a backup was restored, or its log was left behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from chaos_plant import Plant, Report

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
    make_plant: Callable[..., Plant], report: Report, tmp_path: Path, what: str
) -> None:
    """A hot copy, as a backup tool makes it; what came later is known to the others only."""
    plant = make_plant()
    plant.start()
    plant.send(100)
    plant.verdict()
    backups = {database(plant, store): tmp_path / f"backup-{store}" for store in RESTORED[what]}
    for path, backup in backups.items():
        backup.mkdir()
        for part in files_of(path):
            shutil.copy(part, backup)
    plant.send(100)
    plant.verdict()
    plant.stop()
    for path, backup in backups.items():
        for part in files_of(path):
            part.unlink()
        for part in backup.iterdir():
            shutil.copy(part, path.parent)
    plant.start()
    plant.send(100)
    report(f"backup of the {what} restored", plant)


@pytest.mark.parametrize("store", STORES)
def test_a_store_whose_log_was_left_behind_loses_and_repeats_no_image(
    make_plant: Callable[..., Plant], report: Report, store: str
) -> None:
    plant = make_plant()
    plant.start()
    plant.send(200)
    plant.verdict()
    plant.core.kill(everything=True)
    for part in files_of(database(plant, store)):
        if part.name.endswith("-wal"):
            part.unlink()
    plant.start()
    plant.send(100)
    report(f"{store} without its log", plant)
