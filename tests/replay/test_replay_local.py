"""Replays on the local pool: real processes, real files."""

from __future__ import annotations

import json
import os
import tarfile
import threading

import pytest
from broken_volume import Volume
from replay_kit import Whole, archive_of, package

from fanfold.cloud.landed import records_of
from fanfold.main import main
from replay.compare import require_results
from replay.engines.local import LocalEngine
from replay.errors import CannotLoadError, ReplayError
from replay.place import Folder
from replay.recorded import recorded
from replay.runner import Runner
from replay.shard import run_shard


def names(records):
    return {stream: [r["file"] for r in found] for stream, found in records.items()}


def test_each_image_of_each_stream_is_once_in_order_and_broken_ones_are_failed(tmp_path):
    archive = archive_of(tmp_path / "in", cam1=12, cam2=7)
    (archive / "cam1/00003.jpg").write_bytes(b"no image")
    (archive / "cam2/gone.jpg").symlink_to("nowhere.jpg")
    model = package(tmp_path / "m", "simulated", wait_ms=0)
    whole = Whole(archive, tmp_path / "out", model, workers="2")

    whole.run()
    report = whole.finish()

    found = whole.records()
    assert {s: [r["seq"] for r in rs] for s, rs in found.items()} == {
        "cam1": list(range(1, 13)), "cam2": list(range(1, 9)),
    }  # fmt: skip
    assert names(found)["cam1"] == [f"cam1/{n:05}.jpg" for n in range(12)]
    failed = {r["file"]: r["reason"] for rs in found.values() for r in rs if r["status"] != "ok"}
    assert failed == {"cam1/00003.jpg": "not_an_image", "cam2/gone.jpg": "not_found"}
    assert report["failed"] == {"not_an_image": 1, "not_found": 1}


def test_a_replay_that_was_stopped_goes_on_and_leaves_what_is_done(tmp_path):
    archive = archive_of(tmp_path / "in", cam1=20)
    model = package(tmp_path / "m")
    whole = Whole(archive, tmp_path / "out", model)
    whole.run()
    shards = sorted((tmp_path / "out").rglob("shards/*.jsonl"))
    kept = shards[0].read_bytes()
    for shard in shards[1:]:
        shard.unlink()
    with pytest.raises(ReplayError, match="was not run; start the same replay again"):
        whole.finish()

    tally = whole.run()

    assert (tally.images, tally.found) == (20, 5)
    assert shards[0].read_bytes() == kept
    assert whole.finish()["images"] == 20


def test_an_archive_that_has_grown_shares_whole_shards_with_the_replay_before(tmp_path):
    archive = archive_of(tmp_path / "in", cam1=10)
    Whole(archive, tmp_path / "out", package(tmp_path / "m")).run()
    (archive / "cam1/99999.jpg").write_bytes((archive / "cam1/00001.jpg").read_bytes())

    tally = Whole(archive, tmp_path / "out", tmp_path / "m").run()

    assert (tally.images, tally.found) == (11, 10)


def test_two_replays_of_the_same_thing_at_once_both_finish_with_one_set_of_results(tmp_path):
    archive = archive_of(tmp_path / "in", cam1=30)
    model = package(tmp_path / "m", "simulated", wait_ms=2)
    both = [Whole(archive, tmp_path / "out", model) for _ in range(2)]
    threads = [threading.Thread(target=whole.run) for whole in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    reports = [whole.finish() for whole in both]

    assert [report["images"] for report in reports] == [30, 30]
    assert len(list((tmp_path / "out").rglob("shards/*.jsonl"))) == 6
    assert list((tmp_path / "out").rglob(".partial-*")) == []
    assert [r["seq"] for r in both[0].records()["cam1"]] == list(range(1, 31))


def test_one_broken_image_in_a_hundred_is_one_failed_record_each(tmp_path):
    archive = archive_of(tmp_path / "in", cam1=300)
    whole_picture = (archive / "cam1/00000.jpg").read_bytes()
    for number, content in ((50, b""), (150, b"text"), (250, whole_picture[:20])):
        (archive / f"cam1/{number:05}.jpg").write_bytes(content)
    model = package(tmp_path / "m", "simulated", wait_ms=0)
    whole = Whole(archive, tmp_path / "out", model, shard_images=100, workers="2")

    whole.run()
    report = whole.finish()

    records = whole.records()["cam1"]
    assert [r["seq"] for r in records] == list(range(1, 301))
    broken = {r["file"] for r in records if r["status"] == "failed"}
    assert broken == {f"cam1/{number:05}.jpg" for number in (50, 150, 250)}
    assert sum(report["failed"].values()) == 3


def test_clocks_that_differ_change_neither_the_order_nor_the_comparison(tmp_path):
    archive = archive_of(tmp_path / "in", cam1=6)
    for number in range(0, 6, 2):  # a camera whose clock is decades ahead
        os.utime(archive / f"cam1/{number:05}.jpg", (4e9, 4e9))
    model = package(tmp_path / "m", "simulated", wait_ms=0)
    whole = Whole(archive, tmp_path / "out", model)
    whole.run()
    mine = whole.finish() and whole.records()["cam1"]
    recorded = [dict(record, t_in=4e9 - n, t_done=n) for n, record in enumerate(mine)]
    live = tmp_path / "live"
    live.mkdir()
    (live / "b.json").write_text(json.dumps({"v": 1, "epoch": "e", "results": recorded[::-1]}))

    report = whole.finish((Folder(live), records_of))

    assert [r["file"] for r in mine] == [f"cam1/{n:05}.jpg" for n in range(6)]
    assert (report["against"]["compared"], report["against"]["not_recorded"]) == (6, 0)
    assert report["against"]["agreement"]["classification"]["share"] == 1.0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("text", "is neither tar.gz nor zip; pass a package"),
        ("folder", "has neither model.json nor"),
        ("packed", "has neither model.json nor"),
        ("absent", "no such model package"),
    ],
)
def test_what_is_no_package_is_refused_by_the_name_that_was_given(tmp_path, capfd, given, said):
    (tmp_path / "text").write_text("hello")
    archive_of(tmp_path / "folder", cam1=1)
    with tarfile.open(tmp_path / "packed", "w:gz") as tar:
        tar.add(tmp_path / "folder", "folder")
    model = tmp_path / given

    code = main(["replay", "--model", str(model), "--from", str(tmp_path / "folder"),
                 "--out", str(tmp_path / "out")])  # fmt: skip

    err = capfd.readouterr().err
    assert code == 2
    assert f"--model {model}" in err
    assert said in err
    assert not (tmp_path / "out").exists()


def test_a_package_that_does_not_fit_ends_in_a_sentence(tmp_path):
    model = package(tmp_path / "m")
    whole = Whole(archive_of(tmp_path / "in", cam1=3), tmp_path / "out", model)
    (model / "model.json").write_text("{}")

    with pytest.raises(CannotLoadError, match=r"does not fit .*before one was ready.*model.json"):
        whole.run()


@pytest.mark.parametrize("wrong", [{"workers": "0"}, {"gpus": "x"}, {"source": "s4://archive"}])
def test_a_process_that_cannot_begin_accuses_no_shard(tmp_path, wrong):
    whole = Whole(archive_of(tmp_path / "in", cam1=3), tmp_path / "out", package(tmp_path / "m"))

    with pytest.raises(ReplayError):
        whole.run(LocalEngine(whole.job._replace(**wrong)))

    assert not list((tmp_path / "out").rglob("*.jsonl"))


def test_images_that_cannot_be_read_for_long_end_the_replay_and_accuse_nobody(
    tmp_path, monkeypatch
):
    whole = Whole(archive_of(tmp_path / "in", cam1=5), tmp_path / "out", package(tmp_path / "m"))
    Volume(tmp_path, monkeypatch).break_(tmp_path / "in/cam1/00003.jpg")
    runner = Runner(str(tmp_path / "m"), "1", patience_s=0.5)

    with pytest.raises(ReplayError, match=r"cannot be read for .*OSError.*start the same replay"):
        run_shard(next(iter(whole.plan)), "m", whole.archive, whole.store, runner)

    runner.stop()
    assert not list((tmp_path / "out").rglob("*.jsonl"))


@pytest.mark.parametrize("loose", [False, True], ids=["a camera's folder", "the whole archive"])
def test_a_volume_that_is_not_mounted_any_more_fails_no_image(tmp_path, loose):
    archive = archive_of(tmp_path / "in", **({"": 3} if loose else {"cam1": 3}))
    whole = Whole(archive, tmp_path / "out", package(tmp_path / "m"))
    archive.rename(tmp_path / "elsewhere")
    archive.mkdir()

    with pytest.raises(ReplayError, match=r"it was listed, and is not there any more"):
        whole.run()

    assert not list((tmp_path / "out").rglob("*.jsonl"))


def test_only_the_images_that_results_name_are_replayed_each_once_by_name(tmp_path):
    archive = archive_of(tmp_path / "in", cam1=9)
    (tmp_path / "live").mkdir()
    for batch, numbers in (("b1", (7, 3)), ("b2", (3, 5))):
        results = [
            {"stream": "cam1", "seq": n, "file": f"cam1/{n:05}.jpg", "status": "ok"}
            for n in numbers
        ]
        gap = {"stream": "cam1", "seq": 8, "file": "cam1/00008.jpg", "status": "gap"}
        content = {"v": 1, "epoch": "e", "results": [*results, gap]}
        (tmp_path / f"live/{batch}.json").write_text(json.dumps(content))
    listed = recorded(Folder(tmp_path / "live"), records_of)
    whole = Whole(archive, tmp_path / "out", package(tmp_path / "m"), listed=listed)

    whole.run()
    whole.finish()

    assert names(whole.records()) == {"cam1": [f"cam1/{n:05}.jpg" for n in (3, 5, 7)]}


def test_results_that_name_a_file_elsewhere_are_no_archive(tmp_path):
    evil = {"stream": "cam1", "seq": 1, "file": "../secret.jpg", "status": "ok"}
    content = {"v": 1, "epoch": "e", "results": [evil]}
    (tmp_path / "b.json").write_text(json.dumps(content))

    with pytest.raises(ReplayError, match="does not lie below the images"):
        list(recorded(Folder(tmp_path), records_of))


def test_a_place_without_results_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "live").mkdir()

    with pytest.raises(ReplayError, match="no records there"):
        require_results(Folder(tmp_path / "live"), records_of)
    (tmp_path / "live/b.json").write_text("[1]")
    with pytest.raises(ReplayError, match=r"live/b.json is no batch of results"):
        require_results(Folder(tmp_path / "live"), records_of)


def test_an_answer_of_another_form_costs_its_picture_and_not_the_page(tmp_path):
    whole = Whole(archive_of(tmp_path / "in", cam1=1), tmp_path / "out", package(tmp_path / "m"))
    whole.run()
    mine = json.loads(next((tmp_path / "out").rglob("shards/*.jsonl")).read_text())
    hooked = {**mine, "status": "ok", "output": {"boxes": [{"label": "a hook's own"}]}}
    (tmp_path / "live").mkdir()
    batch = {"v": 1, "epoch": "e", "results": [hooked]}
    (tmp_path / "live/b.json").write_text(json.dumps(batch))

    report = whole.finish((Folder(tmp_path / "live"), records_of))

    assert report["against"]["compared"] == 1
    assert "cannot be drawn" in next((tmp_path / "out").rglob("report.html")).read_text()


def test_what_was_recorded_live_is_compared_by_file(tmp_path):
    archive = archive_of(tmp_path / "in", cam1=4)
    model = package(tmp_path / "m", "simulated", wait_ms=0)
    whole = Whole(archive, tmp_path / "out", model)
    whole.run()
    mine = [json.loads(line) for line in next((tmp_path / "out").rglob("shards/*.jsonl")).open()]
    other = dict(mine[1], output={"top": [{"label": "scratch", "index": 1, "score": 0.9}]})
    seen = {**mine[0], "region": {"name": "1a2b3c4d", "ignored": 1}}
    batch = {"v": 1, "epoch": "e", "results": [seen, other, dict(mine[2], status="gap")]}
    live = tmp_path / "live/batches"
    live.mkdir(parents=True)
    (live / "b.json").write_text(json.dumps(batch))

    report = whole.finish((Folder(tmp_path / "live"), records_of))

    against = report["against"]
    assert (against["compared"], against["not_recorded"]) == (2, 2)
    assert against["with_region"] == 1
    assert against["agreement"]["classification"]["share"] == 0.5
    assert [flip["live"] for flip in against["flips"]] == ["scratch"]
    page = next((tmp_path / "out").rglob("report.html")).read_text()
    assert "cam1/00001.jpg" in page
    assert "recorded with a region or masks" in page
    assert "data:image/jpeg;base64," in page
