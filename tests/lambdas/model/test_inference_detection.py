"""Prior boxes, decoding and suppression in numpy against MXNet's own operators."""

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.model.tasks.ssd import Detector, keep, prior_boxes
from lambdas.model.tasks.ssd_spec import (
    DetectionRule,
    PriorLayer,
    RuleError,
    detection_document,
    detection_rule,
)

FEW = settings(max_examples=60, deadline=None)
LAYERS = st.builds(
    PriorLayer,
    feature_map=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    sizes=st.lists(st.floats(0.05, 1.2), min_size=1, max_size=3).map(tuple),
    ratios=st.lists(st.floats(0.2, 5.0), min_size=1, max_size=3).map(tuple),
    steps=st.one_of(st.just((-1.0, -1.0)), st.tuples(st.floats(0.05, 0.5), st.floats(0.05, 0.5))),
    offsets=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
    clip=st.booleans(),
)


@st.composite
def cases(draw):
    """A rule, scores and offsets; scores of a coarse grid, so that many are equal."""
    rule = DetectionRule(
        anchors=tuple(draw(st.lists(LAYERS, min_size=1, max_size=2))),
        variances=tuple(draw(st.lists(st.floats(0.05, 0.5), min_size=4, max_size=4))),
        threshold=draw(st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.9, 1.0])),
        nms_threshold=draw(st.sampled_from([-1.0, 0.0, 0.2, 0.45, 0.5, 0.9, 1.0, 1.5])),
        nms_topk=draw(st.sampled_from([-1, 0, 1, 5, 40])),
        force_suppress=draw(st.booleans()),
        clip=draw(st.booleans()),
    )
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    count, classes, batch = Detector(rule).count, draw(st.integers(2, 5)), draw(st.integers(1, 2))
    steps = draw(st.sampled_from([3, 10, 1000]))
    scores = random.randint(0, steps + 1, (batch, classes, count)).astype(np.float32) / steps
    return rule, scores, random.randn(batch, 4 * count).astype(np.float32)


def mxnet_detections(rule, scores, offsets):
    anchors = np.concatenate([prior_boxes(layer) for layer in rule.anchors])[None]
    names = ("variances", "threshold", "nms_threshold", "nms_topk", "force_suppress", "clip")
    return mx.nd.contrib.MultiBoxDetection(
        mx.nd.array(scores), mx.nd.array(offsets), mx.nd.array(anchors),
        **{name: getattr(rule, name) for name in names},
    ).asnumpy()  # fmt: skip


def on_the_edge(rule, scores, offsets):
    """Whether any overlap is so near to the limit that the last bit of exp() decides."""
    loose = rule._replace(nms_threshold=1.5, nms_topk=-1)
    for rows in Detector(loose)(scores, offsets):
        boxes = rows[rows[:, 0] >= 0][:, 2:].astype(np.float64)
        low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=2)
        area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        union = area[:, None] + area[None] - common
        with np.errstate(divide="ignore", invalid="ignore"):
            near = np.abs(common / union - rule.nms_threshold) < 1e-5
        np.fill_diagonal(near, False)
        if near.any():
            return True
    return False


@FEW
@given(LAYERS)
def test_prior_boxes_are_those_of_multiboxprior(layer):
    expected = mx.nd.contrib.MultiBoxPrior(
        mx.nd.zeros((1, 1, *layer.feature_map)), sizes=layer.sizes, ratios=layer.ratios,
        steps=layer.steps, offsets=layer.offsets, clip=layer.clip,
    ).asnumpy()[0]  # fmt: skip
    assert np.abs(prior_boxes(layer) - expected).max() <= 2e-7
    assert len(expected) == layer.boxes


@settings(max_examples=150, deadline=None)
@given(cases())
def test_detections_are_those_of_multiboxdetection_in_its_order(case):
    if on_the_edge(*case):
        return
    expected, found = mxnet_detections(*case), Detector(case[0])(*case[1:])
    for all_theirs, all_ours in zip(expected, found):
        theirs, ours = (rows[rows[:, 0] >= 0] for rows in (all_theirs, all_ours))
        assert theirs.shape == ours.shape
        assert (theirs[:, :2] == ours[:, :2]).all()  # class and score to the bit
        np.testing.assert_allclose(ours[:, 2:], theirs[:, 2:], rtol=1e-5, atol=1e-6)


def test_the_edge_is_rare_enough_for_the_comparison_to_mean_something():
    random = np.random.RandomState(0)
    rule = DetectionRule((PriorLayer((6, 6), (0.2, 0.4), (1.0, 2.0)),), nms_threshold=0.45)
    count = Detector(rule).count
    edges = [
        on_the_edge(
            rule,
            random.rand(1, 3, count).astype(np.float32),
            random.randn(1, 4 * count).astype(np.float32),
        )
        for _ in range(50)
    ]
    assert sum(edges) < 10


def test_logits_go_through_a_softmax_over_the_classes():
    rule = DetectionRule((PriorLayer((4, 4), (0.3,), (1.0,)),), threshold=0.2, softmax=True)
    logits = np.random.RandomState(1).randn(2, 3, 16).astype(np.float32) * 30
    offsets = np.zeros((2, 64), np.float32)
    scores = mx.nd.softmax(mx.nd.array(logits), axis=1).asnumpy()
    expected = mxnet_detections(rule, scores, offsets)
    found = Detector(rule)(logits, offsets)
    assert (expected[..., 0] == found[..., 0]).all()
    kept = found[..., 0] >= 0
    np.testing.assert_allclose(found[kept], expected[kept], rtol=1e-5, atol=1e-6)


def test_an_image_whose_outputs_are_not_finite_comes_back_as_nan_and_the_others_whole():
    rule = DetectionRule((PriorLayer((2, 2), (0.3,), (1.0,)),))
    scores = np.full((2, 2, 4), 0.9, np.float32)
    scores[0, 1, 2] = np.nan
    found = Detector(rule)(scores, np.zeros((2, 16), np.float32))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


@FEW
@given(st.integers(0, 2**31), st.integers(0, 300))
def test_many_boxes_in_blocks_are_kept_as_one_by_one(seed, count):
    random = np.random.RandomState(seed)
    corner = random.rand(count, 2).astype(np.float32)
    boxes = np.concatenate([corner, corner + random.rand(count, 2).astype(np.float32) * 0.3], 1)
    classes = random.randint(0, 2, count).astype(np.float32)
    kept = keep(boxes, classes, np.float32(0.4))
    assert set(np.flatnonzero(kept)) == one_by_one(boxes, classes, 0.4)


def one_by_one(boxes, classes, limit):
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    hits = common / (area[:, None] + area[None] - common) >= np.float32(limit)
    hits &= classes[:, None] == classes[None]
    kept = []
    for i in range(len(boxes)):
        if not any(hits[i, k] for k in kept):
            kept.append(i)
    return set(kept)


@FEW
@given(cases())
def test_a_rule_written_into_model_json_is_read_back_as_it_was(case):
    assert detection_rule(detection_document(case[0])) == case[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anchors": []}, "anchors is no list"),
        ({"nms_top": 5}, "has 'nms_top'; known are anchors"),
        ({"clip": 1}, "clip is 1; use true or false"),
        ({"nms_topk": 0.5}, "nms_topk is 0.5; use whole numbers"),
        ({"variances": [0.1]}, r"variances is \[0.1\]; use 4 number"),
        ({"threshold": float("nan")}, "threshold is"),
        ({"anchors": [{"sizes": [1], "ratios": [1]}]}, "feature_map is None"),
        ({"anchors": [{"feature_map": [9999, 1], "sizes": [1], "ratios": [1]}]}, "use 1 to 4096"),
        ({"anchors": [{"feature_map": [1, 1], "sizes": [0], "ratios": [1]}]}, "above 0"),
        (
            {"anchors": [{"feature_map": [4000, 4000], "sizes": [1], "ratios": [1]}]},
            "more than 1000000 boxes",
        ),
    ],
)
def test_a_wrong_rule_names_the_field_its_value_and_what_is_allowed(change, message):
    layer = {"feature_map": [2, 2], "sizes": [0.2], "ratios": [1.0]}
    with pytest.raises(RuleError, match=message):
        detection_rule({"anchors": [layer], **change})
