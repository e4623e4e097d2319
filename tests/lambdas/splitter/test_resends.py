"""The same id again: a resend of the same content, or another image under a used name."""

from __future__ import annotations

import pytest
from custody_kit import accept, custody_bench, put
from splitter_kit import JPEG, PNG, Bench, event


@pytest.fixture
def bench(tmp_path):
    return custody_bench(tmp_path)


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


@pytest.mark.parametrize("later", [{"file": "gone.jpg"}, {"files": ["gone.jpg", "too.jpg"]}])
def test_the_id_of_an_image_inside_a_message_is_not_that_of_a_file_that_is_gone(bench, later):
    inside = event(id="a", image_b64="iVBORw0KGgoBAgM=")
    bench.image(inside)

    answers = [bench.image(event(id="a", **later)), bench.image(inside)]

    assert (answers[0]["answer"], answers[0].get("reason")) == ("rejected", "id_reused")
    assert answers[1]["duplicate"]


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
