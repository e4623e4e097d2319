"""Files that nobody named: picked up once, when whole, and nothing else is touched."""

from __future__ import annotations

import os

import pytest
from splitter_kit import JPEG, PNG, Bench, event

from lambdas.splitter import dropscan


@pytest.fixture(autouse=True)
def _scans_on_time(monkeypatch):
    """Time is virtual here, and a busy machine's is not: it would put off the next scan."""
    monkeypatch.setattr("lambdas.splitter.dropfolder.SCAN_SHARE", 0)


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    (bench.images / "drop" / "cam1").mkdir(parents=True)
    return bench


def put(bench, name, content=JPEG, at=1_000):
    path = bench.images / "drop" / "cam1" / name
    path.write_bytes(content)
    os.utime(str(path), (at, at))
    return path


def scan(bench, times=4):
    for _ in range(times):
        bench.heartbeat()
        bench.step(after_s=1.5)


def files(bench):
    return [item["file"] for item in bench.work()]


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
