"""Accepted means ours: whatever a camera, or the volume, does to its file afterwards."""

from __future__ import annotations

import errno
import os

import pytest
from splitter_kit import JPEG, PNG, Bench, event

from lambdas.common.paths import PathError, read_inside
from lambdas.splitter import custody as custody_module
from lambdas.splitter.inbox import CANNOT_LINK
from lambdas.splitter.leaving import TIDY_EVERY_S


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    (bench.images / "cam1").mkdir()
    bench.heartbeat()
    return bench


def put(bench, name, content=JPEG):
    """As a careful camera does: under another name, then renamed."""
    path = bench.images / name
    path.with_suffix(".part").write_bytes(content)
    path.with_suffix(".part").replace(path)
    return path


def read(bench, item):
    return read_inside(str(bench.images), item["kept"], 1 << 20, item["stat"])


def accept(bench, event_id="a", name="cam1/a.jpg"):
    assert bench.image(event(id=event_id, file=name))["answer"] == "accepted"
    return bench.work()[-1]


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


# The same id


def test_a_resend_is_a_duplicate_also_when_its_file_is_gone(bench):
    path = put(bench, "cam1/a.jpg")
    accept(bench)
    path.unlink()
    answer = bench.image(event(id="a", file="cam1/a.jpg"))

    assert (answer["answer"], answer["duplicate"], answer["seq"]) == ("accepted", True, 1)


def test_the_same_id_with_other_content_is_refused_and_told(bench):
    put(bench, "cam1/a.jpg")
    accept(bench)
    put(bench, "cam1/a.jpg", PNG)
    answers = [
        bench.image(event(id="a", file="cam1/a.jpg")),
        bench.image(event(id="a", image_b64="iVBORw0KGgoBAgM=")),
    ]

    assert {(a["answer"], a["reason"]) for a in answers} == {("rejected", "id_reused")}
    assert bench.splitter.admission.answers.rejected["id_reused"] == 2


def manifest(bench, *names):
    answer = bench.image(event(id="m", files=list(names)))
    return answer.get("reason") or ("duplicate" if answer["duplicate"] else "new")


def test_an_incomplete_manifest_is_known_again_by_the_files_that_it_had(bench):
    put(bench, "cam1/a.jpg")
    names = ("cam1/a.jpg", "cam1/missing.jpg")
    assert manifest(bench, *names) == "new"
    assert manifest(bench, *names) == "duplicate"
    put(bench, "cam1/missing.jpg")
    assert manifest(bench, *names) == "duplicate"  # its worker looks for it once more, too

    put(bench, "cam1/a.jpg", PNG)

    assert manifest(bench, *names) == "id_reused"


@pytest.mark.parametrize("had", [("cam1/a.jpg",), ("cam1/a.jpg", "cam1/missing.jpg")])
def test_an_id_used_again_for_files_that_are_not_there_is_no_resend(bench, had):
    put(bench, "cam1/a.jpg")
    assert manifest(bench, *had) == "new"

    assert manifest(bench, *(f"cam1/later-{n}.jpg" for n in range(len(had)))) == "id_reused"


def test_an_id_used_again_after_its_image_was_dropped_is_refused(tmp_path):
    bench = Bench(tmp_path, FANFOLD_MAX_BACKLOG="1", FANFOLD_BACKLOG_POLICY="drop_newest")
    bench.image(JPEG)
    png = "iVBORw0KGgoBAgM="
    assert bench.image(event(id="a", image_b64=png))["answer"] == "accepted"
    assert bench.image(event(id="a", image_b64=png))["duplicate"]

    assert bench.image(event(id="a", image_b64=png[:-2] + "Q="))["reason"] == "id_reused"


def test_a_resend_while_the_volume_is_away_waits_until_its_files_can_be_compared(bench):
    put(bench, "cam1/a.jpg")
    accept(bench)
    away = bench.images.with_name("away")
    bench.images.rename(away)
    bench.images.mkdir()
    resend = event(id="a", file="cam1/a.jpg")
    assert bench.image(resend)["reason"] == "busy"
    bench.images.rmdir()
    away.rename(bench.images)

    assert bench.image(resend)["duplicate"]


def test_a_day_later_an_id_may_be_used_again(bench, monkeypatch):
    monkeypatch.setattr("lambdas.splitter.journal.REMEMBERED_S", 60.0)
    put(bench, "cam1/a.jpg")
    accept(bench)
    put(bench, "cam1/a.jpg", PNG)
    bench.step(after_s=61.0)
    answer = bench.image(event(id="a", file="cam1/a.jpg"))

    assert (answer["answer"], answer["seq"], answer["duplicate"]) == ("accepted", 2, False)


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
    assert len(bench.splitter.custody.leaving) == 1
    monkeypatch.undo()
    bench.step(after_s=TIDY_EVERY_S + 1.0)

    assert len(bench.splitter.custody.leaving) == 0
    assert bench.inbox_files() == []
