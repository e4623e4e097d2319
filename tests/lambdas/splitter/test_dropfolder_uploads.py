"""Every name, every state, every uploader: what lies in a drop folder besides whole images."""

from __future__ import annotations

import os

import pytest
from drop_kit import drop_bench, files, put, scan
from splitter_kit import JPEG, PNG, Bench

from lambdas.splitter import dropscan


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return drop_bench(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "name",
    [b"\xe3\x80\x80.jpg", b"\xc2\xa0.jpg", b"caf\xe9.jpg", b"new\nline.jpg", b" blank .jpg",
     b"\xff\xfe", b"\xe2\x80\xa8.jpg", b"x" * 255, b"-rf", b"a\\b.jpg", b"\x1b[31m.jpg"],
)  # fmt: skip
def test_every_name_that_the_kernel_allows_is_taken_and_safe_in_json(bench, name):
    folder = os.fsencode(str(bench.images / "drop" / "cam1"))
    with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
        file.write(JPEG)
    scan(bench)
    (item,) = bench.work()

    assert (bench.images / item["kept"]).read_bytes() == JPEG
    item["file"].encode("utf-8")
    assert all(character >= " " for character in item["file"])
    bench.ack(cam1=1)
    bench.step(after_s=1.0)
    bench.restart()
    scan(bench)
    assert bench.splitter.journal.next_seq("cam1") == 2


def test_a_name_that_reads_like_an_escaped_one_is_a_file_of_its_own(bench):
    folder = os.fsencode(str(bench.images / "drop" / "cam1"))
    names = [b"caf\xe9.jpg", rb"caf\xe9.jpg", rb"caf\\xe9.jpg", b"caf\\\xe9.jpg", b"\n", rb"\n"]
    for name in names:
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(JPEG)
    scan(bench, times=8)

    assert len(set(files(bench))) == len(names)
    assert len(bench.splitter.journal.seen_files()) == len(names)
    assert bench.splitter.journal.next_seq("cam1") == len(names) + 1


def left(bench):
    return bench.splitter.admission.drop.describe()


def test_what_is_left_is_counted_by_reason_and_named_once(bench, caplog):
    drop = bench.images / "drop"
    put(bench, "film.mp4", b"\x00\x00\x00\x18ftypmp42")
    put(bench, "event.xml", b"<?xml?>")
    put(bench, "notes.jpg", b"no image at all")
    put(bench, "empty.jpg", b"")
    put(bench, "half.jpg.filepart")
    (drop / "cam9").mkdir()
    (drop / "stray.jpg").write_bytes(JPEG)
    (drop / "cam1" / "archive").mkdir()
    scan(bench, times=8)

    assert left(bench)["left"] == {
        "not_an_image": 3, "empty": 1, "unfinished": 1, "unknown_camera": 1, "no_camera": 1,
        "sub_folder": 1,
    }  # fmt: skip
    assert left(bench)["names"]["drop/cam1/film.mp4"] == "not_an_image"
    assert left(bench)["names"]["drop/cam9"] == "unknown_camera"
    assert caplog.text.count("drop/cam1/event.xml") == 1
    assert bench.work() == []
    (drop / "cam1" / "film.mp4").unlink()
    scan(bench, times=1)
    assert left(bench)["left"]["not_an_image"] == 2
    assert "drop/cam1/film.mp4" not in left(bench)["names"]


def test_dated_sub_folders_are_looked_into_and_others_where_the_site_says_so(tmp_path):
    bench = Bench(tmp_path, FANFOLD_DROP_SUBFOLDERS="dated,jpg")
    for folder in ("2026-11-29/001/jpg", "20261129/14", "thumbs", "2026/old"):
        (bench.images / "drop/cam1" / folder).mkdir(parents=True)
        (bench.images / "drop/cam1" / folder / "a.jpg").write_bytes(JPEG)
    scan(bench)

    assert sorted(files(bench)) == [
        "drop/cam1/2026-11-29/001/jpg/a.jpg",
        "drop/cam1/20261129/14/a.jpg",
    ]
    assert left(bench)["left"] == {"sub_folder": 2}


@pytest.mark.parametrize("part", [JPEG[:2], JPEG[:9], JPEG[:-2], JPEG[:-2] + bytes(40)])
def test_an_upload_that_stalls_is_waited_for_and_taken_whole(bench, part):
    put(bench, "a.jpg", part, at=1_000)
    scan(bench, times=8)
    assert bench.work() == []
    put(bench, "a.jpg", JPEG, at=1_010)
    scan(bench)
    (item,) = bench.work()

    assert (bench.images / item["kept"]).read_bytes() == JPEG


@pytest.mark.parametrize("missing", [1, 4, 8])
def test_a_png_that_stalls_within_its_last_chunk_is_waited_for(bench, missing):
    whole = PNG + b"\0\0\0\0IEND\xaeB`\x82"
    put(bench, "a.png", whole[:-missing], at=1_000)
    scan(bench, times=8)
    assert bench.work() == []
    put(bench, "a.png", whole, at=1_010)
    scan(bench)
    assert len(bench.work()) == 1


def test_an_upload_that_never_ends_is_waited_for_within_bounds(tmp_path):
    bench = Bench(tmp_path, FANFOLD_DROP_WAIT_S="5")
    (bench.images / "drop" / "cam1").mkdir(parents=True)
    put(bench, "a.jpg", JPEG[:-2])
    scan(bench, times=2)
    assert (bench.work(), left(bench)["waiting"]) == ([], 1)
    scan(bench, times=4)

    assert len(bench.work()) == 1


@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_that_is_written_anew_each_second_is_an_image_each_time(bench, in_place):
    path = bench.images / "drop" / "cam1" / "latest.jpg"
    for n in range(6):
        target = path if in_place else path.with_suffix(".part")
        target.write_bytes(JPEG + b"%d" % n)
        os.utime(str(target), (1_000 + n, 1_000 + n))
        if not in_place:
            target.replace(path)
        for _ in range(5):
            bench.heartbeat()
            bench.step(after_s=0.15)
    items = [image.item for image in bench.splitter.backlog]
    contents = [(bench.images / item["kept"]).read_bytes() for item in items]

    assert [item["seq"] for item in items] == [1, 2, 3, 4, 5, 6]
    assert contents[1:] == [JPEG + b"%d" % n for n in range(1, 6)]


def test_the_same_name_size_and_time_with_another_file_is_a_new_image(bench):
    put(bench, "a.jpg", at=1_000)
    scan(bench)
    old = bench.images / "drop" / "cam1" / "a.jpg"
    new = old.with_name("b.part")
    new.write_bytes(JPEG)
    os.utime(str(new), (1_000, 1_000))
    new.replace(old)
    scan(bench)

    assert [item["seq"] for item in bench.work()] == [1, 2]


def test_a_camera_without_a_folder_is_not_looked_for_and_its_files_stay_known(bench, monkeypatch):
    put(bench, "a.jpg")
    scan(bench)
    opened, opening = [], dropscan.open_folder_inside
    monkeypatch.setattr(
        dropscan,
        "open_folder_inside",
        lambda root, name: (opened.append(name), opening(root, name))[1],
    )
    folder = bench.images / "drop" / "cam1"
    folder.rename(bench.images / "away")
    scan(bench, times=1)
    assert opened == ["drop"]
    (bench.images / "away").rename(folder)
    scan(bench)
    assert files(bench) == ["drop/cam1/a.jpg"]
