"""When two models agree on an image, and how much a flip weighs."""

from __future__ import annotations

import pytest

from contract.agreement import NOTHING, judge
from contract.areas import iou


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
