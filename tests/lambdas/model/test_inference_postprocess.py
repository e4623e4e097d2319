import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_kit import spec_of

from lambdas.model.tasks.postprocess import classify, describe, softmax

LOGITS = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30)


@given(LOGITS)
def test_probabilities_sum_to_one_however_large_the_logits(logits):
    assert softmax(np.array(logits)).sum() == pytest.approx(1.0)


@given(LOGITS, st.integers(1, 8))
def test_the_best_classes_come_in_falling_order_and_no_more_than_asked_for(logits, count):
    spec = spec_of(output={"softmax": True, "top": count})
    top = classify(np.array(logits), [], spec)["top"]
    scores = [entry["score"] for entry in top]
    assert len(top) == min(count, len(logits))
    assert scores == sorted(scores, reverse=True)
    assert logits[top[0]["index"]] == max(logits)


def test_the_best_class_is_named_even_below_the_threshold_and_the_others_are_not():
    spec = spec_of(output={"softmax": False}, threshold=0.5)
    top = classify(np.array([0.1, 0.3, 0.2]), ["a", "b", "c"], spec)
    assert top == {"top": [{"label": "b", "index": 1, "score": 0.3}]}


def test_boxes_below_the_threshold_and_empty_rows_are_left_out_and_corners_stay_inside():
    rows = [
        [-1, 0.99, 0, 0, 1, 1],
        [0, 0.4, 0.1, 0.1, 0.2, 0.2],
        [1, 0.6, -0.5, 0.25, 0.5, 1.5],
        [0, 0.1, 0, 0, 1, 1],
    ]
    found = describe([np.float32(rows)], ["bolt", "nut"], spec_of("ssd_detection", threshold=0.2))
    assert [(b["label"], b["score"]) for b in found["boxes"]] == [("nut", 0.6), ("bolt", 0.4)]
    assert found["boxes"][0]["box"] == [0.0, 0.25, 0.5, 1.0]


def test_scores_that_are_not_finite_are_an_error_and_no_result():
    with pytest.raises(ValueError, match="not finite"):
        describe([np.array([0.1, np.nan])], [], spec_of())


def test_an_output_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"N×6 output, the network gave \(5, 4\)"):
        describe([np.zeros((5, 4))], [], spec_of("ssd_detection"))
