"""Accepted means ours: whatever a camera, or the volume, does to its file afterwards."""

from __future__ import annotations

import errno
import json
import os

import pytest
from custody_kit import accept, custody_bench, put, read
from splitter_kit import JPEG, PNG, Bench, event

from contract.volumes import INBOX, KEPT_FOLDERS, KEPT_IN_A_ROW, kept_name
from lambdas.common.paths import PathError
from lambdas.splitter import custody as custody_module
from lambdas.splitter.inbox import CANNOT_LINK
from lambdas.splitter.removals import TIDY_EVERY_S


@pytest.fixture
def bench(tmp_path):
    return custody_bench(tmp_path)


@pytest.mark.parametrize("mode", ["link", "copy"])
@pytest.mark.parametrize("harm", ["replaced", "deleted", "renamed"])
def test_what_was_accepted_stays_whatever_becomes_of_its_name(tmp_path, mode, harm):
    bench = Bench(tmp_path, FANFOLD_CUSTODY=mode)
    (bench.images / "cam1").mkdir()
    bench.heartbeat()
    path = put(bench, "cam1/a.jpg")
    item = accept(bench)
    if harm == "replaced":
        put(bench, "cam1/a.jpg", PNG)
    elif harm == "deleted":
        path.unlink()
    else:
        path.rename(bench.images / "cam1" / "b.jpg")

    assert read(bench, item) == JPEG
    assert item["file"] == "cam1/a.jpg"


@pytest.mark.parametrize("content", [JPEG[:-2] + b"!!", JPEG + b"more", b""])
def test_a_linked_file_that_is_written_into_is_found_changed(bench, content):
    path = put(bench, "cam1/a.jpg")
    item = accept(bench)
    path.write_bytes(content)

    with pytest.raises(PathError, match="written again after it was accepted"):
        read(bench, item)


def test_a_copied_file_may_be_written_into(tmp_path):
    bench = Bench(tmp_path, FANFOLD_CUSTODY="copy")
    (bench.images / "cam1").mkdir()
    bench.heartbeat()
    path = put(bench, "cam1/a.jpg")
    item = accept(bench)
    path.write_bytes(PNG)

    assert read(bench, item) == JPEG
    assert len(item["digest"]) == 64


def test_a_camera_that_writes_into_its_file_again_is_copied_from_then_on(bench):
    path = put(bench, "cam1/latest.jpg")
    accept(bench, "1", "cam1/latest.jpg")
    path.write_bytes(JPEG + b"2")
    item = accept(bench, "2", "cam1/latest.jpg")
    path.write_bytes(JPEG + b"3")

    assert read(bench, item) == JPEG + b"2"
    assert bench.splitter.custody.copied == 1


@pytest.mark.parametrize("code", sorted(CANNOT_LINK))
def test_where_the_volume_cannot_link_a_copy_is_taken(bench, monkeypatch, code):
    def no_link(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", no_link)
    path = put(bench, "cam1/a.jpg")
    item = accept(bench)
    path.unlink()

    assert read(bench, item) == JPEG


def test_files_and_folder_are_synced_before_the_answer(bench, monkeypatch):
    """The recorder sees what had reached the disk when `accepted` was published."""
    happened = []
    whole = bench.splitter.custody.inbox._sync_filesystem
    monkeypatch.setattr(
        bench.splitter.custody.inbox,
        "_sync_filesystem",
        lambda fd: happened.append("sync") or (whole and whole(fd)),
    )
    publish = bench.bus.publish
    monkeypatch.setattr(
        bench.bus,
        "publish",
        lambda topic, payload: happened.append(topic) or publish(topic, payload),
    )
    for n in range(3):
        put(bench, f"cam1/{n}.jpg", JPEG + bytes([n]))
    bench.image(event(id="m", files=[f"cam1/{n}.jpg" for n in range(3)]))

    topics = [what for what in happened if what == "sync" or what.endswith("/accepted")]
    assert topics == ["sync", "demo/images/cam1/accepted"]


def test_after_its_record_the_splitters_own_name_is_removed_and_the_cameras_stays(bench):
    path = put(bench, "cam1/a.jpg")
    accept(bench)
    assert len(bench.inbox_files()) == 1
    bench.ack(cam1=1)
    bench.step(after_s=1.0)

    assert bench.inbox_files() == []
    assert path.read_bytes() == JPEG


def test_what_is_held_has_a_quota(tmp_path):
    bench = Bench(tmp_path, FANFOLD_CUSTODY_BYTES=str(2 * len(JPEG)))
    (bench.images / "cam1").mkdir()
    for n in range(3):
        put(bench, f"cam1/{n}.jpg")
    answers = [bench.image(event(id=f"{n}", file=f"cam1/{n}.jpg")) for n in range(3)]

    assert [answer.get("reason") for answer in answers] == [None, None, "no_space"]
    bench.ack(cam1=1)
    bench.step(after_s=1.0)
    assert bench.image(event(id="2", file="cam1/2.jpg"))["answer"] == "accepted"


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.EMFILE, errno.ENOMEM])
def test_trouble_of_the_machine_pushes_back_leaves_nothing_and_passes(bench, monkeypatch, code):
    def trouble(*_, **__):
        raise OSError(code, os.strerror(code))

    for n in range(3):
        put(bench, f"cam1/{n}.jpg")
    manifest = event(id="m", files=[f"cam1/{n}.jpg" for n in range(3)])
    monkeypatch.setattr(os, "link", trouble)
    refused = bench.image(manifest)
    monkeypatch.undo()

    assert (refused["answer"], refused["reason"]) == ("rejected", "busy")
    assert refused["retry_after_s"] > 0
    assert bench.inbox_files() == []
    assert bench.splitter.journal.next_seq("cam1") == 1
    assert bench.image(manifest)["count"] == 3


def test_after_a_failed_sync_copies_are_taken(bench, monkeypatch):
    def trouble(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    put(bench, "cam1/a.jpg")
    monkeypatch.setattr(bench.splitter.custody.inbox, "_sync", trouble)
    assert bench.image(event(id="a", file="cam1/a.jpg"))["reason"] == "busy"
    monkeypatch.undo()
    accept(bench)

    assert bench.splitter.custody.copied == 1


def test_a_file_once_seen_to_be_written_again_is_copied_however_often_it_is_named(bench):
    path = put(bench, "cam1/latest.jpg")
    accept(bench, "a", "cam1/latest.jpg")
    path.write_bytes(JPEG + b"2")
    for event_id in ("b", "c"):
        accept(bench, event_id, "cam1/latest.jpg")
    path.write_bytes(JPEG + b"33")

    items = [image.item for image in bench.splitter.backlog]
    assert [read(bench, item) for item in items[1:]] == [JPEG + b"2"] * 2
    assert bench.splitter.custody.copied == 2
    put(bench, "cam1/latest.jpg", PNG)  # replaced: another file may be linked again
    accept(bench, "d", "cam1/latest.jpg")
    assert bench.splitter.custody.copied == 2


def test_a_file_that_its_camera_never_stops_writing_is_busy_and_says_nothing_of_the_volume(
    tmp_path, monkeypatch
):
    bench = Bench(tmp_path, FANFOLD_CUSTODY="copy")
    (bench.images / "cam1").mkdir()
    path = put(bench, "cam1/latest.jpg")
    real = custody_module._read_all

    def read_while_it_is_written(file):
        content = real(file)
        path.write_bytes(content + b"!")
        return content

    monkeypatch.setattr(custody_module, "_read_all", read_while_it_is_written)
    answer = bench.image(event(id="a", file="cam1/latest.jpg"))

    assert (answer["reason"], "is being written" in answer["detail"]) == ("busy", True)
    assert bench.splitter.volume.describe() == {"state": "ready"}
    monkeypatch.undo()
    assert bench.image(event(id="a", file="cam1/latest.jpg"))["answer"] == "accepted"


# Manifests, and folders of numbers


def manifest_of(bench, count, event_id="m"):
    for n in range(count):
        put(bench, f"cam1/{n:03d}.jpg", JPEG + b"%d" % n)
    files = [f"cam1/{n:03d}.jpg" for n in range(count)]
    assert bench.image(event(id=event_id, files=files))["count"] == count
    return files


@pytest.mark.parametrize("harm", ["link", "folder", "missing", "too large", "fifo"])
def test_one_unfit_file_of_a_manifest_costs_the_others_nothing(bench, monkeypatch, harm):
    monkeypatch.setattr(custody_module, "MAX_IMAGE_BYTES", len(JPEG) + 1)
    for n in range(5):
        put(bench, f"cam1/{n}.jpg")
    unfit = bench.images / "cam1" / "2.jpg"
    unfit.unlink()
    if harm == "link":
        unfit.symlink_to(bench.images / "cam1" / "1.jpg")
    elif harm == "folder":
        unfit.mkdir()
    elif harm == "fifo":
        os.mkfifo(unfit)
    elif harm == "too large":
        unfit.write_bytes(JPEG + b"12")
    answer = bench.image(event(id="m", files=[f"cam1/{n}.jpg" for n in range(5)]))

    assert (answer["answer"], answer["count"]) == ("accepted", 5)
    items = [image.item for image in bench.splitter.backlog]
    assert [item["file"] for item in items if "kept" not in item] == ["cam1/2.jpg"]
    assert {read(bench, item) for item in items if "kept" in item} == {JPEG}
    assert len(bench.inbox_files()) == 4
    ended = [image for image in bench.splitter.backlog if image.terminal]
    reason = {"link": "outside_volume", "missing": "not_found", "too large": "too_large"}
    assert [image.seq for image in ended] == [3]
    assert json.loads(ended[0].terminal)["reason"] == reason.get(harm, "not_a_file")


def test_a_file_that_comes_after_its_manifest_was_accepted_is_not_taken_for_the_missing_one(bench):
    put(bench, "cam1/0.jpg")
    bench.image(event(id="m", files=["cam1/0.jpg", "cam1/1.jpg"]))
    put(bench, "cam1/1.jpg", PNG)
    bench.restart()
    bench.heartbeat()

    assert {item["seq"] for item in bench.work()} == {1}
    ends = [(r["seq"], r["status"], r["reason"], r.get("sha256")) for r in bench.records()]
    assert set(ends) == {(2, "failed", "not_found", None)}


LATIN = b"caf\xe9.jpg"
ODD_NAMES = [
    (LATIN, b'"cam1/caf\xe9.jpg"', "cam1/caf\\xe9.jpg"),
    (LATIN, b'"cam1/caf\\udce9.jpg"', "cam1/caf\\xe9.jpg"),
    (b"a\tb\x7f.jpg", b'"cam1/a\\tb\\u007f.jpg"', "cam1/a\\tb\\x7f.jpg"),
    (b"caf\\xe9.jpg", b'"cam1/caf\\\\xe9.jpg"', "cam1/caf\\\\xe9.jpg"),
]


@pytest.mark.parametrize(("name", "given", "shown"), ODD_NAMES)
@pytest.mark.parametrize("form", ["file", "files"])
def test_every_name_that_the_kernel_allows_may_be_in_an_event(bench, name, given, shown, form):
    (bench.images / "cam1" / os.fsdecode(name)).write_bytes(JPEG)
    many = form == "files"
    payload = b'{"v":1,"%s":%s}' % (form.encode(), b"[%s]" % given if many else given)
    assert bench.image(payload)["answer"] == "accepted"
    assert bench.image(payload)["duplicate"], "the same file is known again"
    (image,) = bench.splitter.backlog

    assert image.item["file"] == shown
    assert read(bench, image.item) == JPEG


def test_what_no_file_can_be_called_is_refused_with_the_way_to_write_a_byte(bench):
    answer = bench.image(b'{"v":1,"files":["cam1/\\ud800.jpg"]}')
    assert (answer["reason"], "\\udc80 to \\udcff" in answer["detail"]) == ("malformed", True)
    assert "U+D800" in answer["detail"]


def test_what_a_crash_left_under_a_name_of_a_manifest_is_not_taken_for_its_image(bench):
    stray = bench.images / kept_name("cam1", 3)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(PNG)
    manifest_of(bench, 5)

    items = [image.item for image in bench.splitter.backlog]
    assert [read(bench, item) for item in items] == [JPEG + b"%d" % n for n in range(5)]


def test_a_restarted_splitter_reads_of_a_manifest_what_was_accepted(bench):
    files = manifest_of(bench, 3)
    items = [image.item for image in bench.splitter.backlog]
    bench.restart()
    again = {image.seq: image for image in bench.splitter.backlog}

    assert [again[n].item for n in (1, 2, 3)] == items
    assert [again[n].own for n in (1, 2, 3)] == [kept_name("cam1", n) for n in (1, 2, 3)]
    for item, name in zip(items, files):
        status = (bench.images / name).stat()
        assert item["stat"] == [status.st_size, status.st_mtime_ns, status.st_ino]


def test_a_stream_has_the_same_few_folders_however_many_images_came(bench):
    stream = bench.images / INBOX / "cam1"
    manifest_of(bench, KEPT_IN_A_ROW + 10)
    assert sorted(path.name for path in stream.iterdir()) == ["0", "1"]
    bench.ack(cam1=KEPT_IN_A_ROW + 10)
    bench.step(after_s=1.0)
    assert bench.inbox_files() == []
    for n in range(2, KEPT_FOLDERS + 3):
        manifest_of(bench, KEPT_IN_A_ROW, f"m{n}")
        bench.ack(cam1=n * KEPT_IN_A_ROW + 10)
        bench.step(after_s=1.0)

    assert sorted(int(path.name) for path in stream.iterdir()) == list(range(KEPT_FOLDERS))


# The same id


# The volume


def test_while_another_folder_is_in_its_place_work_waits_and_cameras_are_told(bench):
    put(bench, "cam1/a.jpg")
    bench.splitter.volume.confirm()
    bench.splitter.credit.workers["w0"].state = "silent"
    assert bench.image(event(id="a", file="cam1/a.jpg"))["answer"] == "accepted"
    away = bench.images.with_name("away")
    bench.images.rename(away)
    bench.images.mkdir()
    bench.step(after_s=1.0)
    bench.heartbeat()

    assert bench.work() == []
    assert bench.image(event(id="b", file="cam1/a.jpg"))["reason"] == "busy"
    assert bench.splitter.volume.describe()["state"] == "away"
    bench.images.rmdir()
    away.rename(bench.images)
    bench.step(after_s=1.0)
    bench.heartbeat()
    assert [item["id"] for item in bench.work()] == ["a"]
    assert bench.splitter.volume.describe() == {"state": "ready"}


def test_a_new_volume_takes_the_place_of_the_old_one_when_nothing_waits(bench):
    was = bench.splitter.volume.identity
    bench.images.rename(bench.images.with_name("away"))
    bench.images.mkdir()
    bench.step(after_s=1.0)

    assert bench.splitter.volume.ready
    assert bench.splitter.volume.identity != was
    assert bench.image(JPEG)["answer"] == "accepted"


def test_tidying_that_fails_stops_nothing_and_is_tried_again(bench, monkeypatch):
    put(bench, "cam1/a.jpg")
    accept(bench)

    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "unlink", read_only)
    bench.ack(cam1=1)
    bench.step(after_s=1.0)
    bench.restart()
    bench.step(after_s=1.0)
    assert len(bench.splitter.custody.removals) == 1
    monkeypatch.undo()
    bench.step(after_s=TIDY_EVERY_S + 1.0)

    assert len(bench.splitter.custody.removals) == 0
    assert bench.inbox_files() == []


@pytest.mark.parametrize("mode", ["link", "copy"])
def test_a_name_that_could_not_be_removed_is_not_removed_once_an_accepted_image_has_it(
    tmp_path, monkeypatch, mode
):
    bench = Bench(tmp_path, FANFOLD_CUSTODY=mode)
    (bench.images / "cam1").mkdir()
    bench.heartbeat()

    def trouble(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    put(bench, "cam1/a.jpg")
    put(bench, "cam1/b.jpg", PNG)
    with monkeypatch.context() as failing:
        failing.setattr(bench.splitter.custody.inbox, "_sync", trouble)
        failing.setattr(os, "unlink", trouble)
        assert bench.image(event(id="a", file="cam1/a.jpg"))["reason"] == "busy"
    assert len(bench.splitter.custody.removals) == 1
    item = accept(bench, "b", "cam1/b.jpg")
    bench.step(after_s=TIDY_EVERY_S + 1.0)

    assert read(bench, item) == PNG


def test_a_file_of_a_manifest_that_vanishes_half_linked_leaves_no_name_behind(bench, monkeypatch):
    names = [f"cam1/{n}.jpg" for n in range(3)]
    for name in names:
        put(bench, name)
    real = os.stat

    def vanishes(path, *args, **options):
        if path == kept_name("cam1", 2).rpartition("/")[2] and (bench.images / names[1]).exists():
            (bench.images / names[1]).unlink()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *args, **options)

    monkeypatch.setattr(os, "stat", vanishes)
    assert bench.image(event(id="m", files=names))["count"] == 3
    bench.ack(cam1=3)
    bench.step(after_s=1.0)

    assert not (bench.images / names[1]).exists()
    assert bench.inbox_files() == []
