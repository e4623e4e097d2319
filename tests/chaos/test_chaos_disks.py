"""Trouble of each volume and each store alone, while images flow: nothing of it is an image's.

One core meets the errors of all stores in turn, another one the troubles of its small disks.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from chaos_plant import IN_HAND_MS, Plant, Report
from chaos_shared import Shared, new_plant
from faulty_calls import FaultyCalls
from small_disks import fill, small_disk_at

TROUBLE_S = 3.0
IMAGES = 100
#: What a store's own files are called, below the plant's folder.
STORES = {
    "images": "images",
    "journal": "state/splitter",
    "store": "state/aggregator",
    "spool": "core/spool.sqlite3",
}
VOLUMES = ("images", "state", "core")
#: Who keeps what where, below the plant's folder.
FOLDERS = {"splitter": "state/splitter", "aggregator": "state/aggregator", "core": "core"}
#: What a file system that turned read-only refuses, also in files that are open already.
CHANGES = "write,fsync,truncate,openw,rename,unlink,link"
Ways = Callable[[], object]


def through_trouble(plant: Plant, begin: Ways, end: Ways) -> None:
    """The trouble lasts a while, in which the cameras go on sending."""
    over = threading.Timer(TROUBLE_S, end)

    def halfway() -> None:
        begin()
        over.start()

    plant.send(40)
    plant.send(IMAGES, halfway=halfway)
    over.join()
    plant.send(40)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Plants whose calls fail when `calls_of` says so. Their model is slower than the splitter
    accepts, so that every part has something to write when the trouble begins."""

    def make() -> Plant:
        plant = new_plant(tmp_path_factory.mktemp("failing"), wait_ms=IN_HAND_MS)
        plant.core.preload(calls_of(plant).environment)
        return plant

    plants = Shared(make)
    yield plants
    plants.stop()


def calls_of(plant: Plant) -> FaultyCalls:
    return FaultyCalls(plant.folder / "faults")


@pytest.mark.parametrize("store", STORES)
def test_errors_of_one_store_hold_work_back_and_condemn_no_image(
    failing: Shared, report: Report, store: str
) -> None:
    plant = failing()
    calls = calls_of(plant)
    for error in ("EIO", "ENOSPC", "EROFS"):
        which = "read,write,fsync,open" if error == "EIO" else "write,fsync,truncate"
        begin = partial(calls.always, plant.folder / STORES[store], getattr(errno, error), which)
        through_trouble(plant, begin, calls.none)
        report(f"{error} on {store} for {TROUBLE_S:g} s", plant)


@pytest.fixture(scope="module")
def on_disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Plants of which every volume is a disk of its own, of 24 MiB."""
    with ExitStack() as mounted:

        def make() -> Plant:
            folder = tmp_path_factory.mktemp("disks")
            for name in VOLUMES:
                mounted.enter_context(small_disk_at(folder / name, 24))
            return new_plant(folder)

        plants = Shared(make)
        yield plants
        plants.stop()


@pytest.mark.parametrize("volume", VOLUMES)
def test_a_full_volume_pushes_back_and_loses_nothing(
    on_disks: Shared, report: Report, volume: str
) -> None:
    plant = on_disks()
    disk = plant.folder / volume
    other = disk / "other"
    through_trouble(plant, lambda: fill(disk), lambda: other.unlink(missing_ok=True))
    status = plant.core.status()
    assert status["cloud"]["dropped"] == 0
    assert status["stats"]["aggregator"]["outbox_dropped"] == 0
    report(f"volume of {volume} full", plant)


def test_an_images_volume_that_becomes_read_only_holds_work_back(
    on_disks: Shared, report: Report
) -> None:
    plant = on_disks()

    def remount(how: str) -> None:
        command = ["mount", "-o", f"remount,bind,{how}", str(plant.folder / "images")]
        subprocess.run(command, check=True, capture_output=True)

    through_trouble(plant, lambda: remount("ro"), lambda: remount("rw"))
    report("volume of images read-only", plant)


def test_a_read_only_state_volume_is_named_holds_work_back_and_goes_on_by_itself(
    failing: Shared, report: Report
) -> None:
    """A mount with files open for writing cannot be made read-only from outside, a file system
    with an error does it to itself: so by the preloaded library."""
    plant = failing()
    calls, folder = calls_of(plant), plant.folder
    plant.send(40)

    def trouble() -> None:
        calls.always(folder / "state", errno.EROFS, CHANGES)
        asked.start()
        plant.core.until(lambda _: {"splitter", "aggregator"} <= set(named(plant)))
        calls.none()

    # What was sent before may all be accepted: the splitter has something to refuse meanwhile.
    asked = threading.Thread(target=plant.send, args=(10,))
    plant.send(IMAGES, halfway=trouble)
    asked.join()
    plant.core.until(lambda _: not named(plant))
    report("volume of state read-only", plant)


def test_a_core_whose_whole_state_is_read_only_names_volume_and_remedy_and_loses_nothing(
    failing: Shared, report: Report
) -> None:
    """Everything that core and functions keep is on one volume, and it takes nothing any more."""
    plant = failing()
    calls, folder = calls_of(plant), plant.folder
    said_before = len((folder / "core.out").read_text())
    plant.send(40)
    plant.verdict()

    def trouble() -> None:
        calls.everywhere((folder / "core", folder / "state"), errno.EROFS, CHANGES)
        asked.start()
        plant.core.until(lambda _: set(FOLDERS) <= set(named(plant)))
        said = {r["subject"]: r for r in plant.core.not_ready()}
        for part, where in FOLDERS.items():
            reason = said[f"state volume of the {part}"]
            assert str(folder / where) in reason["problem"]
            assert "writable" in reason["remedy"]
            own = "spool_refuses" if part == "core" else "state_volume_refuses"
            assert reason["code"] == own
        calls.none()

    # What was sent before may all be accepted: the splitter has something to refuse meanwhile.
    asked = threading.Thread(target=plant.send, args=(10,))
    plant.send(IMAGES, halfway=trouble)
    asked.join()
    plant.core.until(lambda _: not named(plant))
    status = plant.core.status()
    assert status["cloud"]["dropped"] == 0
    assert status["stats"]["aggregator"]["outbox_dropped"] == 0
    report("volume of state and core read-only", plant)
    assert "Traceback" not in (folder / "core.out").read_text()[said_before:]


def named(plant: Plant) -> list[str]:
    """Parts whose state volume /ready names."""
    about = [reason["subject"] for reason in plant.core.not_ready()]
    return [s.rpartition(" ")[2] for s in about if s.startswith("state volume of the ")]


def test_an_images_volume_that_is_away_and_comes_back_costs_no_image(
    tmp_path: Path, make_plant: Callable[..., Plant], report: Report
) -> None:
    """Events are accepted before it goes; a backlog waits while it is away."""
    disk, volume = tmp_path / "disk", tmp_path / "images"
    disk.mkdir()
    volume.mkdir()

    def mount() -> None:
        done = subprocess.run(
            ["mount", "--bind", str(disk), str(volume)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("mounting needs root: " + done.stderr.decode().strip())

    def away() -> None:
        subprocess.run(["umount", "-l", str(volume)], check=True)

    mount()
    try:
        plant = make_plant(wait_ms=20)
        plant.start()
        plant.send(300)
        away()
        plant.core.until(lambda status: not plant.core.running().ready())  # type: ignore[union-attr]
        threading.Event().wait(TROUBLE_S)
        mount()
        report(f"images volume away for {TROUBLE_S:g} s", plant)
    finally:
        away()


def test_an_images_volume_that_goes_while_nothing_waits_is_not_replaced_by_its_mount_point(
    tmp_path: Path, make_plant: Callable[..., Plant], report: Report
) -> None:
    """The folder below it is empty, and part of another file system; also after a restart."""
    with small_disk_at(tmp_path / "disk", 24) as disk:
        volume = tmp_path / "images"
        volume.mkdir()

        def mount() -> None:
            subprocess.run(["mount", "--bind", str(disk), str(volume)], check=True)

        mount()
        try:
            plant = make_plant()
            plant.start()
            plant.send(100)
            plant.verdict()
            subprocess.run(["umount", "-l", str(volume)], check=True)
            plant.core.until(lambda status: away(plant))
            first = plant.core.functions()["splitter"]["pid"]
            os.kill(first, signal.SIGKILL)
            plant.core.until(
                lambda status: plant.core.functions()["splitter"]["pid"] not in (first, None)
            )
            plant.core.until(lambda status: away(plant))
            assert not list(volume.iterdir())
            mount()
            plant.core.until(lambda status: plant.core.running().ready())  # type: ignore[union-attr]
            plant.send(100)
            report("images volume away while nothing waits", plant)
        finally:
            subprocess.run(["umount", "-l", str(volume)], check=False)


def away(plant: Plant) -> bool:
    said = plant.core.not_ready()
    return any("nothing is mounted at" in str(reason["problem"]) for reason in said)


def test_descriptors_that_are_few_cost_no_image(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    plant = make_plant()
    plant.core.prefix = ("prlimit", "--nofile=64:64")
    plant.start()
    plant.send(IMAGES)
    report("descriptors limited to 64", plant)
