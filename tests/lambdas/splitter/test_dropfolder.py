"""Files that nobody named: picked up once, when whole, and nothing else is touched."""

from __future__ import annotations

import os

import pytest
from drop_kit import drop_bench, files, put, scan
from splitter_kit import JPEG, Bench, event


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return drop_bench(tmp_path, monkeypatch)


def test_files_are_picked_up_oldest_first_and_stay_where_they_are(bench):
    newer, older = put(bench, "a.jpg", at=2_000), put(bench, "b.jpg", at=1_000)
    scan(bench)
    assert files(bench) == ["drop/cam1/b.jpg", "drop/cam1/a.jpg"]
    assert newer.exists()
    assert older.exists()


def test_a_file_is_taken_once_also_after_its_record_and_a_restart(bench):
    put(bench, "a.jpg")
    scan(bench)
    bench.ack(cam1=1)
    bench.step(after_s=1.0)
    bench.restart()
    scan(bench)
    assert files(bench) == ["drop/cam1/a.jpg"]


def test_a_file_that_is_still_written_waits_until_it_rests(bench):
    for size in range(4):
        put(bench, "a.jpg", JPEG + bytes(size), at=1_000 + size)
        scan(bench, times=1)
    assert files(bench) == []
    scan(bench)
    assert files(bench) == ["drop/cam1/a.jpg"]


def test_new_content_under_an_old_name_is_a_new_image(bench):
    put(bench, "a.jpg")
    scan(bench)
    put(bench, "a.jpg", JPEG + b"!", at=3_000)
    scan(bench)
    assert [item["seq"] for item in bench.work()] == [1, 2]


def test_an_event_that_names_the_file_first_makes_it_one_image(bench):
    put(bench, "a.jpg")
    bench.image(event(id="mine", file="drop/cam1/a.jpg"))
    scan(bench)
    assert [item["id"] for item in bench.work()] == ["mine"]


def test_an_event_after_the_pick_up_gets_the_number_that_the_file_has(bench):
    put(bench, "a.jpg")
    scan(bench)
    answer = bench.image(event(id="mine", file="drop/cam1/a.jpg"))
    assert (answer["seq"], answer["duplicate"]) == (1, True)


def test_a_camera_that_names_a_file_in_anothers_drop_folder_gets_an_image_of_its_own(bench):
    put(bench, "a.jpg")
    put(bench, "b.jpg")
    first = bench.image(event(id="mine", file="drop/cam1/a.jpg"), camera="cam2")
    scan(bench)
    second = bench.image(event(id="too", file="drop/cam1/b.jpg"), camera="cam2")

    assert [(a["seq"], a["duplicate"]) for a in (first, second)] == [(1, False), (2, False)]
    taken = sorted((i.stream, i.item["file"]) for i in bench.splitter.backlog)
    names = ["drop/cam1/a.jpg", "drop/cam1/b.jpg"]
    assert taken == [(camera, name) for camera in ("cam1", "cam2") for name in names]


def test_links_pipes_hidden_unfinished_and_empty_files_are_left_alone(bench):
    folder = bench.images / "drop" / "cam1"
    (folder / "link.jpg").symlink_to("/etc/passwd")
    os.mkfifo(str(folder / "pipe.jpg"))
    (folder / "folder.jpg").mkdir()
    for name in (
        ".hidden.jpg",
        "a.part",
        "b.tmp",
        "c.jpg~",
        "d.crdownload",
        "e.FilePart",
        "f.jpg.partial",
    ):
        put(bench, name)
    put(bench, "empty.jpg", b"")
    scan(bench)
    assert files(bench) == []


def test_a_camera_folder_that_is_a_link_is_not_followed(tmp_path):
    bench = Bench(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(JPEG)
    (bench.images / "drop").mkdir()
    (bench.images / "drop" / "cam1").symlink_to(tmp_path / "elsewhere")
    scan(bench)
    assert files(bench) == []


def test_a_file_where_a_camera_folder_should_be_stops_nothing(tmp_path):
    bench = Bench(tmp_path)
    (bench.images / "drop" / "cam2").mkdir(parents=True)
    (bench.images / "drop" / "cam1").write_bytes(b"a file")
    (bench.images / "drop" / "cam2" / "a.jpg").write_bytes(JPEG)
    scan(bench)
    assert files(bench) == ["drop/cam2/a.jpg"]


def test_a_volume_that_is_away_for_a_while_makes_no_image_twice(bench):
    put(bench, "a.jpg")
    bench.image(event(id="mine", file="drop/cam1/a.jpg"))
    drop = bench.images / "drop"
    drop.rename(bench.images / "away")
    scan(bench)
    (bench.images / "away").rename(drop)
    scan(bench)
    assert len({item["seq"] for item in bench.work()}) == 1


def test_a_camera_folder_that_is_away_for_a_while_makes_no_image_twice(bench):
    """Of what lies in it nothing is known meanwhile."""
    put(bench, "a.jpg")
    scan(bench)
    folder = bench.images / "drop" / "cam1"
    folder.rename(bench.images / "away")
    scan(bench)
    assert list(bench.splitter.journal.seen_files()) == ["drop/cam1/a.jpg"]
    (bench.images / "away").rename(folder)
    scan(bench)
    assert len({item["seq"] for item in bench.work()}) == 1


def test_files_of_a_camera_that_the_site_has_no_more_are_forgotten(tmp_path):
    bench = Bench(tmp_path)
    (bench.images / "drop" / "cam1").mkdir(parents=True)
    put(bench, "a.jpg")
    scan(bench)
    bench.env["FANFOLD_CAMERAS"] = "cam2"
    bench.restart()
    scan(bench)
    assert bench.splitter.journal.seen_files() == {}


def test_what_is_taken_away_is_forgotten(bench):
    path = put(bench, "a.jpg")
    scan(bench)
    path.unlink()
    scan(bench)
    assert bench.splitter.journal.seen_files() == {}


def test_a_full_backlog_leaves_files_where_they_are_for_later(tmp_path):
    bench = Bench(tmp_path, FANFOLD_MAX_BACKLOG="2")
    (bench.images / "drop" / "cam1").mkdir(parents=True)
    for n in range(5):
        put(bench, f"{n}.jpg", at=1_000 + n)
    scan(bench)
    assert bench.splitter.backlog.outstanding == 2
    for done in (2, 4, 5):
        bench.ack(cam1=done)
        scan(bench)
    assert sorted({item["seq"] for item in bench.work()}) == [1, 2, 3, 4, 5]


def test_an_empty_setting_switches_it_off(tmp_path):
    bench = Bench(tmp_path, FANFOLD_DROP_FOLDER="")
    (bench.images / "cam1").mkdir(parents=True)
    (bench.images / "cam1" / "a.jpg").write_bytes(JPEG)
    scan(bench)
    assert files(bench) == []


# Every name, every state, every uploader
