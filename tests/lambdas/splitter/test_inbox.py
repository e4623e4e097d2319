"""What a sync of the inbox reaches, when volumes lie in volumes or take each other's place."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from small_disks import small_disk_at
from splitter_kit import JPEG, PNG, Bench, event

from contract.volumes import kept_folder
from lambdas.common.marker import write_marker
from lambdas.splitter.inbox import FOLDER


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_camera_on_a_mount_of_its_own_has_its_copies_synced_where_they_lie(bench, monkeypatch):
    synced = []
    inbox = bench.splitter.custody.inbox
    monkeypatch.setattr(inbox, "_sync_filesystem", lambda fd: synced.append(os.fstat(fd).st_dev))
    with small_disk_at(bench.images / "cam1", mib=1) as camera:
        names = ["cam1/0.jpg", "cam1/1.jpg"]
        for name in names:
            (bench.images / name).write_bytes(JPEG)
        assert camera.stat().st_dev != bench.images.stat().st_dev
        answer = bench.image(event(id="m", files=names))

    assert answer["answer"] == "accepted"
    assert bench.splitter.custody.copied == 2
    assert synced == [(bench.images / FOLDER).stat().st_dev]


def test_the_folders_of_a_volume_that_took_the_place_are_synced_as_well(bench, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    numbers = kept_folder("cam1", 1)
    names = (numbers, f"{FOLDER}/cam1", FOLDER, ".fanfold")
    folders = [str(bench.images / name) for name in names]

    def synced_folders(content):
        synced.clear()
        assert bench.image(content)["answer"] == "accepted"
        return [path for path in synced if Path(path).is_dir()]

    assert synced_folders(JPEG) == folders
    bench.ack(cam1=1)
    bench.step(after_s=1.0)
    bench.images.rename(bench.images.with_name("away"))
    bench.images.mkdir()
    bench.step(after_s=1.0)

    assert synced_folders(PNG) == folders


def test_an_image_that_comes_alone_is_synced_at_the_same_time_as_its_name(bench, monkeypatch):
    begun = {True: threading.Event(), False: threading.Event()}
    met = []

    def sync(descriptor):
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        begun[folder].set()
        met.append(begun[not folder].wait(30))

    monkeypatch.setattr(os, "fsync", sync)
    assert bench.image(JPEG)["answer"] == "accepted"

    assert met
    assert all(met)


def test_on_a_quick_disk_no_thread_is_woken_for_an_image_that_comes_alone(bench, monkeypatch):
    threads = []
    monkeypatch.setattr(os, "fsync", lambda _: threads.append(threading.current_thread()))
    monkeypatch.setattr("lambdas.splitter.inbox.SLOW_SYNC_S", float("inf"))
    bench.image(JPEG)
    threads.clear()

    assert bench.image(PNG)["answer"] == "accepted"
    assert set(threads) == {threading.current_thread()}
    assert len(threads) > 1


@pytest.mark.parametrize("first", [0.0, float("inf")])
@pytest.mark.parametrize("failing", ["the image", "its folder"])
def test_an_image_is_refused_where_it_or_its_name_does_not_reach_the_disk(
    bench, monkeypatch, failing, first
):
    bench.splitter.custody.inbox._sync_s = first
    real, failed = os.fsync, []

    def sync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == (failing == "its folder"):
            failed.append(descriptor)
            raise OSError(errno.EIO, "the disk fails")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    answer = bench.image(JPEG)

    assert failed
    assert (answer["answer"], answer["reason"]) == ("rejected", "busy")
    assert bench.inbox_files() == []
    assert list(bench.splitter.journal.unfinished()) == []


def test_the_marker_of_a_volume_is_on_the_disk_with_the_name_of_its_folder(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    write_marker(str(tmp_path), "1234")

    assert synced == [f"{tmp_path}/{name}" for name in (".fanfold/volume.part", ".fanfold")] + [
        str(tmp_path)
    ]


def test_manifests_that_come_together_cost_one_sync(bench, monkeypatch):
    synced = []
    monkeypatch.setattr(bench.splitter.custody.inbox, "_sync_filesystem", synced.append)
    (bench.images / "cam1").mkdir()
    for n in range(6):
        (bench.images / f"cam1/{n}.jpg").write_bytes(JPEG)
    manifests = [[f"cam1/{n}.jpg" for n in range(first, first + 2)] for first in (0, 2, 4)]
    answers = bench.images_at_once([event(id=f"m{n}", files=f) for n, f in enumerate(manifests)])

    assert [(a["answer"], a["count"]) for a in answers] == [("accepted", 2)] * 3
    assert len(synced) == 1
