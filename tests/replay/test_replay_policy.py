"""What is pure: the cut, the ledger, the judgement, the arrays; and the driver with a script."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import PROJECT
from replay_kit import ScriptedEngine, Whole, archive_of, package

from bench.replay_on_paper import table
from contract.agreement import NOTHING, judge
from contract.areas import iou
from replay.ahead import READERS, read_ahead
from replay.array import mark
from replay.cost import Work, cost
from replay.cut import ROOT, cut, shard_of
from replay.drive import Driver
from replay.engines.engine import CameBack, Done, Ended, Unable
from replay.errors import CannotLoadError, ReplayError
from replay.join import stream_file
from replay.place import Entry, Folder
from replay.plan import make_plan
from replay.render.batch import template
from replay.render.kubernetes import indexed_job
from replay.render.manifests import Array, write_manifests
from replay.shard import Outcome
from replay.sorting import sorted_on_disk


def entries(*names):
    return [Entry(name, 1, "m") for name in names]


def test_shards_number_each_stream_and_keep_loose_images_together():
    shards = list(cut(entries("a.jpg", "cam1/1.jpg", "cam1/2.png", "cam1/x.txt", "z.jpg"), 10))

    assert [(s.stream, s.first, s.names) for s in shards] == [
        ("cam1", 1, ("cam1/1.jpg", "cam1/2.png")),
        (ROOT, 1, ("a.jpg", "z.jpg")),
    ]
    assert [shard_of(s.line()) for s in shards] == shards


def test_a_shards_key_changes_with_its_content_alone():
    [before] = cut(entries("c/1.jpg"), 10)
    [same] = cut(entries("c/1.jpg"), 10)
    [changed] = cut([Entry("c/1.jpg", 1, "another mark")], 10)

    assert before.key == same.key != changed.key


def test_more_names_than_a_run_are_sorted_by_their_bytes():
    names = ["b", "a", "é", "B", "c/", "c-"]

    assert list(sorted_on_disk(names, run=2)) == sorted(names, key=str.encode)


def test_objects_are_read_a_few_ahead_in_order_and_fail_at_their_turn():
    asked, taken = [], []

    def read(number):
        asked.append(number)
        if number == 50:
            raise FileNotFoundError(number)
        return b"%d" % number

    def take_all():
        for number, content in read_ahead(range(100), read):
            assert max(asked) < number + READERS
            taken.append((number, content))

    with pytest.raises(FileNotFoundError):
        take_all()

    assert taken == [(number, b"%d" % number) for number in range(50)]


def whole_of(tmp_path, images=20):
    return Whole(
        archive_of(tmp_path / "in", cam1=images), tmp_path / "out", package(tmp_path / "m")
    )


def done(whole, shard):
    whole.store.write_once(f"{whole.replay.model}/shards/{shard.key}.jsonl", b"")
    return Done(Outcome(shard.key, len(shard.names), {}, True))


def test_a_shard_that_ends_its_process_three_times_is_quarantined_and_its_neighbours_are_not(
    tmp_path,
):
    whole = whole_of(tmp_path)
    guilty = next(iter(whole.plan)).key

    def events(held):
        if any(shard.key == guilty for shard in held):
            ended, _ = list(held), held.clear()
            return [Ended(ended, "exit code -9")]
        return [done(whole, held.popleft())] if held else []

    tally = whole.run(ScriptedEngine(events))

    assert tally.quarantined == ["shard cam1 1-5"]
    assert (tally.images, tally.failed) == (20, {"killed_workers": 5})
    assert any("is quarantined" in message for message in whole.heard.messages)


def test_nodes_that_go_away_and_buckets_that_ask_for_a_pause_accuse_no_shard(tmp_path):
    whole = whole_of(tmp_path)
    times = {}

    def events(held):
        shard = held.popleft()
        times[shard.key] = times.get(shard.key, 0) + 1
        return [CameBack(shard, "gone")] if times[shard.key] < 5 else [done(whole, shard)]

    tally = whole.run(ScriptedEngine(events, isolates=True))

    assert (tally.images, tally.quarantined) == (20, [])


def unfit(shard, node):
    return Unable(shard, node, CannotLoadError(f"the package does not fit {node}: no onnxruntime"))


def test_a_package_that_fits_no_node_ends_the_replay(tmp_path):
    whole = whole_of(tmp_path)

    with pytest.raises(CannotLoadError, match="does not fit n1: no onnxruntime"):
        whole.run(ScriptedEngine(lambda held: [unfit(held.popleft(), "n1")]))


def test_a_node_that_fails_at_once_does_not_end_a_replay_that_others_can_do(tmp_path):
    whole = whole_of(tmp_path)
    misfits = 10

    def events(held):
        nonlocal misfits
        if misfits and held:
            misfits -= 1
            return [unfit(held.popleft(), "n1")]
        return [done(whole, held.popleft())] if held else []

    tally = whole.run(ScriptedEngine(events, isolates=True, places=2))

    assert (tally.images, misfits) == (20, 0)


def test_a_package_that_fits_none_of_many_nodes_is_tried_on_each_of_them(tmp_path):
    whole, tried = whole_of(tmp_path), []

    def events(held):
        tried.append(f"n{len(tried)}")
        return [unfit(held.popleft(), tried[-1])]

    with pytest.raises(CannotLoadError, match="does not fit n4"):
        whole.run(ScriptedEngine(events, isolates=True, places=5))

    assert len(tried) == 5


def test_a_shard_that_came_back_rests_and_the_others_go_on(tmp_path):
    whole = whole_of(tmp_path)
    first, *others = [shard.key for shard in whole.plan]

    def events(held):
        if not held:
            return []
        shard = held.popleft()
        if len(engine.submitted) == 1:
            return [CameBack(shard, "the bucket asks for a pause")]
        return [done(whole, shard)]

    engine = ScriptedEngine(events, isolates=True, lanes=1)
    Driver(whole.replay, engine, whole.heard, first_pause_s=1.0).run()

    assert engine.submitted == [first, *others, first]


def answer(**output):
    return {"status": "ok", "output": output}


def box(label, score, *corners):
    return {"label": label, "score": score, "box": list(corners)}


def test_classes_agree_by_their_best_label_and_a_confident_flip_weighs_more():
    top = [{"label": "ok", "score": 0.9}]
    agreed = judge(answer(top=top), answer(top=[{"label": "ok", "score": 0.7}]))
    sure = judge(answer(top=top), answer(top=[{"label": "scratch", "score": 0.8}]))
    unsure = judge(answer(top=top), answer(top=[{"label": "scratch", "score": 0.2}]))

    assert agreed.agree
    assert agreed.drifts == (pytest.approx(-0.2),)
    assert sure.flips == (("ok", "scratch"),)
    assert sure.weight > unsure.weight > agreed.weight


def test_boxes_are_paired_by_overlap_and_what_is_left_is_a_flip_to_nothing():
    live = answer(boxes=[box("dog", 0.9, 0, 0, 0.5, 0.5), box("cat", 0.8, 0.6, 0.6, 1, 1)])
    now = answer(boxes=[box("dog", 0.7, 0, 0, 0.5, 0.52)])

    judged = judge(live, now)

    assert judged.flips == (("cat", NOTHING),)
    assert judged.drifts == (pytest.approx(-0.2),)
    assert iou([0, 0, 1, 1], [0, 0, 1, 0.5]) == 0.5


def test_an_image_that_fails_now_is_a_flip_of_its_status():
    failed = {"status": "failed", "reason": "truncated"}

    assert judge(answer(top=[]), failed).flips == (("ok", "failed (truncated)"),)
    assert judge(failed, failed).agree


def test_the_array_of_kubernetes_is_valid_by_kubernetes_own_schema():
    validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    job = indexed_job(Array("replay-1", "s3://b/r", 250_000, "img", gpus=1, parallel=500))

    validate.validate(job, "1.33", strict=True)
    assert job["spec"]["completions"] == 100_000
    assert "100000" in job["spec"]["template"]["spec"]["containers"][0]["command"]


ODD = Array("replay-1", "/nfs/o'ut $(X)/r", 3, "img", hooks="acme_hooks")


def test_an_array_is_told_the_hooks_and_a_place_with_any_characters():
    [container] = indexed_job(ODD)["spec"]["template"]["spec"]["containers"]
    of_batch = template(ODD)["Resources"]["Replay"]["Properties"]["ContainerProperties"]
    words = shlex.split(of_batch["Command"][2])

    assert container["command"][3] == "/nfs/o'ut $$(X)/r"
    assert container["env"][-1] == {"name": "FANFOLD_HOOKS", "value": "acme_hooks"}
    assert words[words.index("replay.shard") + 1] == ODD.url
    assert of_batch["Environment"] == [{"Name": "FANFOLD_HOOKS", "Value": "acme_hooks"}]


@pytest.mark.slow
def test_the_template_for_aws_batch_is_taken_by_an_app_of_the_cdk(tmp_path):
    from aws_cdk import App, Stack
    from aws_cdk.cloudformation_include import CfnInclude

    made = template(ODD)
    (tmp_path / "replay.json").write_text(json.dumps(made))
    app = App()
    CfnInclude(Stack(app, "replay"), "Array", template_file=str(tmp_path / "replay.json"))

    synthesized = app.synth().get_stack_by_name("replay").template

    assert synthesized["Resources"] == made["Resources"]


def test_the_array_of_aws_batch_is_valid_by_cfn_lint(tmp_path):
    made = template(Array("replay-1", "s3://b/r", 25_000, "img"))
    (tmp_path / "replay.json").write_text(json.dumps(made))
    lint = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), tmp_path / "replay.json"],
        text=True, capture_output=True, check=False,
    )  # fmt: skip

    assert (lint.returncode, lint.stdout) == (0, "")
    assert (
        "--of 10000"
        in made["Resources"]["Replay"]["Properties"]["ContainerProperties"]["Command"][2]
    )


def test_tasks_of_an_array_run_every_shard_and_quarantine_one_with_three_marks(tmp_path):
    whole = whole_of(tmp_path)
    url = write_manifests(whole.replay, whole.job)
    guilty = next(iter(whole.plan))
    for _ in range(3):
        assert mark(whole.store, whole.replay.model, guilty)
    for index in range(2):
        task = [sys.executable, "-m", "replay.shard", url, "--index", str(index), "--of", "2"]
        subprocess.run(task, check=True, timeout=90)

    assert whole.finish()["failed"] == {"killed_workers": 5}
    assert [r["seq"] for r in whole.records()["cam1"]] == list(range(1, 21))
    # Nobody cleans up: who removes the quarantined shard has it tried three times again.
    assert [path for path in (tmp_path / "out").rglob("attempts/*") if path.is_file()] == []


def test_a_task_of_an_array_refuses_a_package_that_was_replaced_since(tmp_path):
    whole = whole_of(tmp_path)
    url = write_manifests(whole.replay, whole.job)
    package(tmp_path / "m", "simulated", wait_ms=1)
    task = [sys.executable, "-m", "replay.shard", url, "--index", "0", "--of", "1"]

    done = subprocess.run(task, check=False, timeout=90, capture_output=True, text=True)

    assert done.returncode == 1
    assert f"was {whole.replay.model} when this was rendered: render it again" in done.stderr
    assert list((tmp_path / "out").rglob("shards/*")) == []


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(ReplayError, match=r"file: a/b cannot be written: .*start the same command"):
        Folder(tmp_path / "file").write_once("a/b", b"content")


def test_a_link_to_a_folder_above_is_refused_instead_of_listed_over_and_over(tmp_path):
    (tmp_path / "cam1").mkdir()
    (tmp_path / "cam1/up").symlink_to("..")

    with pytest.raises(ReplayError, match=r"cam1/up: a link to a folder that holds it"):
        list(Folder(tmp_path).entries())


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    archive_of(tmp_path / "elsewhere", cam1=2)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cam2").symlink_to(tmp_path / "elsewhere/cam1")

    found = [entry.name for entry in Folder(tmp_path / "in").entries()]

    assert found == ["cam2/00000.jpg", "cam2/00001.jpg"]


def test_a_folder_that_is_not_there_is_told_from_one_without_images(tmp_path):
    with pytest.raises(ReplayError, match="nowhere: no such folder"):
        make_plan(Folder(tmp_path / "nowhere"), 10)
    with pytest.raises(ReplayError, match="no images there"):
        make_plan(Folder(tmp_path), 10)


def test_a_stream_of_a_long_name_has_a_file_that_every_folder_takes(tmp_path):
    camera = "Камера над конвейером, линия номер три, цех семь"
    other = camera[:-1] + "и"
    whole = Whole(
        archive_of(tmp_path / "in", **{camera: 2, other: 1}),
        tmp_path / "out", package(tmp_path / "m", "simulated", wait_ms=0),
    )  # fmt: skip
    whole.run()

    assert whole.finish()["streams"] == {camera: 2, other: 1}
    assert sorted(len(records) for records in whole.records().values()) == [1, 2]
    assert stream_file("cam 1") == "stream=cam%201.jsonl"
    assert stream_file("x" * 500).startswith(f"stream={'x' * 200}~")
    assert stream_file("x" * 199 + "é").startswith(f"stream={'x' * 199}~")


def test_a_folder_writes_once_and_leaves_nothing_half_written(tmp_path):
    place = Folder(tmp_path)

    assert place.write_once("a/b", b"first")
    assert not place.write_once("a/b", b"second")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b"]
    assert place.read("a/b") == b"first"


def test_the_page_about_ten_to_the_eighth_images_has_the_arithmetic_of_the_code():
    assert table() in (PROJECT / "docs/replay-on-paper.md").read_text()


def test_a_replay_costs_its_hours_and_a_get_for_every_image():
    found = cost(Work(10**8, 10**5, True, True), 100 * 120.0, 100 * 0.40)

    assert found.hours == pytest.approx(2.31, abs=0.01)
    assert found.requests_usd == pytest.approx(41.08, abs=0.01)
