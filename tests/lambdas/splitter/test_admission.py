"""Accepted means durable: answers, duplicates, full disks and dropped records."""

from __future__ import annotations

import errno
import gc
import os
import shutil
from pathlib import Path

import pytest
from splitter_kit import JPEG, PNG, Bench, event

from lambdas.common.loop import Message


def test_an_inline_image_is_accepted_dispatched_and_lies_in_the_volume(tmp_path):
    bench = Bench(tmp_path)
    bench.heartbeat()
    answer = bench.image(JPEG)

    assert (answer["answer"], answer["seq"], answer["duplicate"]) == ("accepted", 1, False)
    (item,) = bench.work()
    assert (bench.images / item["file"]).read_bytes() == JPEG


def test_a_resent_image_is_answered_with_its_first_number_also_after_a_restart(tmp_path):
    bench = Bench(tmp_path)
    first = bench.image(JPEG)
    again = bench.image(JPEG)
    bench.restart()
    after = bench.image(JPEG)

    assert [a["seq"] for a in (first, again, after)] == [1, 1, 1]
    assert [a["duplicate"] for a in (first, again, after)] == [False, True, True]
    assert len(bench.inbox_files()) == 1


def test_two_copies_in_one_group_are_one_image(tmp_path):
    bench = Bench(tmp_path)
    answers = bench.images_at_once([JPEG, JPEG])
    assert sorted(a["duplicate"] for a in answers) == [False, True]
    assert {a["seq"] for a in answers} == {1}


def test_a_group_of_inline_images_costs_one_sync(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    synced = []
    monkeypatch.setattr(bench.splitter.custody.inbox, "_sync_filesystem", synced.append)
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("one file was synced alone"))

    assert len(bench.images_at_once([JPEG + bytes([n]) for n in range(50)])) == 50
    assert len(synced) == 1


def test_others_are_waited_for_after_several_images_or_acks_not_after_one_of_each(tmp_path):
    bench = Bench(tmp_path)
    ack, image = Message("demo/ack", b""), Message("demo/images/cam1", JPEG)
    heartbeat = Message("demo/heartbeat", b"{}")

    assert bench.splitter.others_likely([ack, heartbeat, image]) == 0
    assert bench.splitter.others_likely([image, ack, image]) == 3
    assert bench.splitter.others_likely([ack, ack]) == 2


def test_without_a_reliable_syncfs_every_file_and_the_folder_are_synced(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    synced = []
    monkeypatch.setattr(bench.splitter.custody.inbox, "_sync_filesystem", None)
    monkeypatch.setattr(os, "fsync", synced.append)

    bench.images_at_once([JPEG, PNG])
    assert len(synced) == 6  # two files, their folder, and once the three above it


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_image_that_could_not_be_synced_is_neither_accepted_nor_in_the_journal(
    tmp_path, monkeypatch
):
    bench = Bench(tmp_path)
    monkeypatch.setattr(bench.splitter.custody.inbox, "_sync", full_disk)
    answers = bench.images_at_once([JPEG, JPEG, event(id="e", files=["cam1/x.jpg"])])

    assert [a["answer"] for a in answers] == ["rejected"] * 3
    assert {a["reason"] for a in answers} == {"no_space"}
    assert bench.inbox_files() == []
    assert list(bench.splitter.journal.unfinished()) == []
    monkeypatch.undo()
    bench.heartbeat()
    assert bench.image(JPEG)["seq"] == 1
    assert [item["seq"] for item in bench.work()] == [1]


def test_acknowledged_images_leave_the_journal_also_while_syncs_fail(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    bench.image(JPEG)
    monkeypatch.setattr(bench.splitter.custody.inbox, "_sync", full_disk)
    bench.ack(cam1=1)
    bench.image(PNG)
    assert list(bench.splitter.journal.unfinished()) == []


def test_a_write_that_fails_leaves_no_file_and_no_descriptor(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    gc.collect()  # what an earlier test left in a circle has descriptors as well
    open_before = open_descriptors()
    monkeypatch.setattr(os, "write", full_disk)
    answers = bench.images_at_once([JPEG, PNG])

    assert {a["reason"] for a in answers} == {"no_space"}
    assert bench.inbox_files() == []
    assert open_descriptors() == open_before


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_files_of_an_interrupted_write_are_swept_at_the_next_start(tmp_path):
    bench = Bench(tmp_path)
    bench.image(JPEG)
    (kept,) = bench.inbox_files()
    (kept.parent / "half.jpg.part").write_bytes(b"\xff\xd8")
    (kept.parent / "orphan.jpg").write_bytes(JPEG)
    bench.restart()
    bench.step(after_s=1.0)
    assert bench.inbox_files() == [kept]


def test_images_that_a_lost_journal_does_not_know_are_kept_apart(tmp_path):
    """Nobody knows their ids and jobs any more, so they are not processed by themselves."""
    bench = Bench(tmp_path)
    bench.images_at_once([JPEG + bytes([n]) for n in range(5)])
    bench.ack(cam1=2)
    bench.step(after_s=1.0)
    for file in (tmp_path / "state" / "splitter").iterdir():
        file.unlink()
    bench.restart(top={"cam1": 3})
    bench.step(after_s=1.0)

    lost = sorted((bench.images / ".fanfold/lost/cam1").iterdir())
    contents = [path.read_bytes() for path in lost]
    assert [JPEG + bytes([n]) for n in (2, 3, 4)] == contents[-3:]
    assert bench.inbox_files() == []
    assert bench.splitter.custody.describe()["kept_lost"] == len(lost)
    assert bench.image(JPEG)["seq"] == 6  # 4 and 5 were given, though nobody had heard of them


def lose_the_journal(bench, top):
    for file in Path(bench.env["FANFOLD_STATE_DIR"], "splitter").iterdir():
        file.unlink()
    bench.restart(top=top)
    bench.step(after_s=1.0)


def test_numbers_that_only_custody_knows_are_not_given_again(tmp_path):
    """The journal is lost before the aggregator has heard of its last images."""
    bench = Bench(tmp_path)
    bench.images_at_once([JPEG + bytes([n]) for n in range(5)])
    lose_the_journal(bench, top={"cam1": 3})

    answer = bench.image(PNG)

    assert answer["seq"] == 6
    bench.heartbeat()
    assert [item["low"] for item in bench.work()] == [6]  # the aggregator: 4 and 5, journal_lost


def test_images_of_a_lost_journal_are_kept_also_where_the_store_is_lost_too(tmp_path):
    bench = Bench(tmp_path)
    bench.images_at_once([JPEG + bytes([n]) for n in range(5)])
    lose_the_journal(bench, top={})

    assert len(list((bench.images / ".fanfold/lost/cam1").iterdir())) == 5
    assert bench.image(PNG)["seq"] == 6


def test_two_lost_journals_that_gave_the_same_number_have_their_images_kept_both(tmp_path):
    bench = Bench(tmp_path)
    images = [JPEG + b"1", JPEG + b"2"]
    for image in images:
        assert bench.image(image)["seq"] == 1
        lose_the_journal(bench, top={})  # and its number with it, also where the store is lost
        lose_the_journal(bench, top={})

    kept = (bench.images / ".fanfold/lost/cam1").iterdir()
    assert sorted(path.read_bytes() for path in kept) == images


def test_a_state_volume_of_another_site_removes_no_image_in_custody(tmp_path, caplog):
    """It is mounted by mistake, nothing waits in its journal, and this site's images lie here."""
    other, bench = Bench(tmp_path / "other"), Bench(tmp_path / "own")
    other.image(JPEG)
    other.ack(cam1=1)
    other.step(after_s=1.0)
    other.splitter.close()
    bench.images_at_once([PNG + bytes([n]) for n in range(3)])
    bench.step(after_s=1.0)
    bench.splitter.close()
    shutil.move(bench.env["FANFOLD_STATE_DIR"], tmp_path / "aside")
    shutil.copytree(other.env["FANFOLD_STATE_DIR"], bench.env["FANFOLD_STATE_DIR"])
    bench.restart(top={"cam1": 1})
    bench.step(after_s=1.0)

    kept = (bench.images / ".fanfold/lost/cam1").iterdir()
    assert sorted(path.read_bytes() for path in kept) == [PNG + bytes([n]) for n in range(3)]
    assert bench.splitter.journal.next_seq("cam1") == 2
    assert "another site's state volume" in caplog.text

    bench.image(JPEG, camera="cam2")
    bench.splitter.close()
    shutil.rmtree(bench.env["FANFOLD_STATE_DIR"])
    shutil.move(tmp_path / "aside", bench.env["FANFOLD_STATE_DIR"])
    bench.restart(top={})
    bench.step(after_s=1.0)

    back = [path.read_bytes() for path in bench.inbox_files()]
    assert sorted(back) == [PNG + bytes([n]) for n in range(3)]


def test_a_name_in_custody_that_no_journal_can_have_given_moves_no_number(tmp_path):
    bench = Bench(tmp_path)
    bench.images_at_once([JPEG, PNG])
    for name in ("cam1/900000000000", "cam9/000000000007", "cam1/x", "cam1/\u0663.jpg"):
        path = bench.images / ".fanfold/inbox" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(JPEG)
    lose_the_journal(bench, top={})

    assert bench.image(JPEG)["seq"] == 3
    assert bench.splitter.journal.streams() == ["cam1"]


def test_finished_inline_images_are_kept_up_to_sixteen_per_stream(tmp_path):
    bench = Bench(tmp_path)
    bench.images_at_once([JPEG + bytes([n]) for n in range(40)])
    bench.ack(cam1=40)
    bench.step(after_s=1.0)
    assert len(bench.inbox_files()) == 16


def test_an_unknown_camera_is_told_which_there_are(tmp_path):
    answer = Bench(tmp_path).image(JPEG, camera="cam9")
    assert (answer["answer"], answer["reason"]) == ("rejected", "malformed")
    assert "cam1, cam2" in answer["detail"]


def test_before_the_aggregator_answers_events_wait_and_then_get_busy(tmp_path):
    bench = Bench(tmp_path)
    bench.splitter.link.ready = False
    assert bench.images_at_once([JPEG]) == []
    bench.step(after_s=11.0)
    (answer,) = bench.answers()
    assert answer["reason"] == "busy"
    assert answer["retry_after_s"] > 0


def test_images_dropped_by_the_quota_get_their_record_again_until_it_is_acknowledged(tmp_path):
    bench = Bench(tmp_path, FANFOLD_MAX_BACKLOG="2", FANFOLD_BACKLOG_POLICY="drop_oldest")
    (bench.images / "cam1").mkdir()
    for name in ("1", "2", "3"):
        (bench.images / "cam1" / name).write_bytes(JPEG)
    bench.image(event(id="a", files=["cam1/1", "cam1/2"]))
    bench.image(event(id="b", files=["cam1/3"]))
    bench.restart()
    bench.ack()
    bench.step(after_s=3.0)

    assert {(r["seq"], r["status"], r["reason"]) for r in bench.records()} == {
        (1, "dropped", "quota_oldest")
    }
    assert len(bench.records()) >= 2
    told = len(bench.records())
    bench.ack(cam1=1)
    bench.step(after_s=100.0)
    assert len(bench.records()) == told


@pytest.mark.parametrize("payload", [[1], 5, None, b"[]", b"\xff", {"v": 1}])
def test_nonsense_on_the_parts_own_topics_is_ignored(tmp_path, payload):
    bench = Bench(tmp_path)
    bench.step(("demo/ack", payload), ("demo/heartbeat", payload))
    assert bench.image(JPEG)["answer"] == "accepted"


def test_busy_before_anything_was_finished_does_not_send_the_camera_away_for_long(tmp_path):
    bench = Bench(tmp_path, FANFOLD_MAX_BACKLOG="200")
    names = [f"{n}.jpg" for n in range(200)]
    for name in names:
        (bench.images / name).write_bytes(JPEG)
    bench.image(event(id="all", files=names))
    for _ in range(30):
        bench.step(after_s=0.2)

    answer = bench.image(JPEG)

    assert (answer["reason"], answer["retry_after_s"]) == ("busy", 2.0)


def test_one_second_without_a_finished_image_hardly_changes_the_time_to_wait(tmp_path):
    answers = Bench(tmp_path).splitter.admission.answers
    for rate_per_s in (0.0, 100.0, 0.0):
        answers.finished(rate_per_s)

    assert answers._rate_per_s == 50.0


def test_manifests_of_missing_files_are_bounded_while_their_records_are_not_acknowledged(tmp_path):
    bench = Bench(tmp_path, FANFOLD_MAX_BACKLOG="10")
    answers = [
        bench.image(event(id=f"m{n}", files=[f"{n}-{i}.jpg" for i in range(5)])) for n in range(6)
    ]
    assert [a["answer"] for a in answers] == ["accepted"] * 4 + ["rejected"] * 2
    assert answers[-1]["reason"] == "busy"
    assert {r["reason"] for r in bench.records()} == {"not_found"}

    bench.ack(cam1=20)
    assert bench.image(event(id="m9", files=["9.jpg"]))["answer"] == "accepted"
