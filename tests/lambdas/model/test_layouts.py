"""The same two objects, written in every declared layout, are read as the same two boxes."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_kit import spec_of

from lambdas.imaging.transform import Transform
from lambdas.model.geometry import placement
from lambdas.model.tasks.masks import run_lengths
from lambdas.model.tasks.postprocess import Task
from lambdas.model.tasks.suppress import suppressed
from models.drawing import pixels
from models.families import FAMILIES

SIDE = 64
A = 64 + 16 + 4
LABELS = ["bolt", "nut", "pin"]
#: class, score, corners in pixels of the input.
OBJECTS = [(2, 0.9, (8.0, 16.0, 24.0, 40.0)), (0, 0.6, (40.0, 8.0, 60.0, 30.0))]


def centred(box):
    x0, y0, x1, y1 = box
    return [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


def logit(p):
    return np.log(p / (1 - p))


def yolov8(objectness=False):
    out = np.zeros((4 + len(LABELS), A), np.float32)
    for n, (kind, score, box) in enumerate(OBJECTS):
        out[:4, 3 * n] = centred(box)
        out[4 + kind, 3 * n] = score
    return out


def yolov5():
    rows = np.zeros((3 * A, 5 + len(LABELS)), np.float32)
    for n, (kind, score, box) in enumerate(OBJECTS):
        rows[5 * n, :4] = centred(box)
        rows[5 * n, 4] = 0.95
        rows[5 * n, 5 + kind] = score / 0.95
    return rows


def yolox():
    """As YOLOX's head leaves it: offsets in cells, sides as logarithms."""
    rows = np.zeros((A, 5 + len(LABELS)), np.float32)
    for n, (kind, score, box) in enumerate(OBJECTS):
        x, y, w, h = centred(box)
        cell = 8 * n + n  # row n, column n of the grid of stride 8
        rows[cell, :4] = [x / 8 - n, y / 8 - n, np.log(w / 8), np.log(h / 8)]
        rows[cell, 4], rows[cell, 5 + kind] = 1.0, score
    return rows


def rows(columns, scale=1.0, base=0):
    out = np.zeros((10, len(columns)), np.float32)
    for n, (kind, score, box) in enumerate(OBJECTS):
        x, y, w, h = centred(box)
        known = {"class": kind + base, "score": score, "x0": box[0], "y0": box[1], "x1": box[2],
                 "y1": box[3], "cx": x, "cy": y, "w": w, "h": h}  # fmt: skip
        out[n] = [known[c] * (1 if c in ("class", "score") else scale) for c in columns]
    return out


def detr(activation):
    """Logits of each query; the last class of a softmax is nothing."""
    count = len(LABELS) + (activation == "softmax")
    logits = np.full((20, count), -9.0, np.float32)
    if activation == "softmax":
        logits[:, -1] = 9.0
    boxes = np.full((20, 4), 0.5, np.float32)
    for n, (kind, score, box) in enumerate(OBJECTS):
        boxes[n] = np.divide(centred(box), SIDE)
        logits[n, kind] = logit(score)
        if activation == "softmax":
            logits[n] = -30
            logits[n, kind], logits[n, -1] = np.log(score), np.log(1 - score)
    return logits, boxes


def tables(base=0, order=(0, 1, 2, 3), scale=1.0):
    boxes = np.zeros((30, 4), np.float32)
    labels, scores = np.zeros(30, np.float32), np.zeros(30, np.float32)
    for n, (kind, score, box) in enumerate(OBJECTS):
        boxes[n] = [box[i] * scale for i in order]
        labels[n], scores[n] = kind + base, score
    return boxes, labels, scores


def written(family):
    """(outputs in order, their names) of one image."""
    if family in ("yolov8",):
        return [yolov8()], ["output0"]
    if family in ("yolov5", "yolox-decoded"):
        return [yolov5()], ["output"]
    if family == "yolox":
        return [yolox()], ["output"]
    if family == "yolo-nas":
        raw = yolov8()
        x, y, w, h = raw[:4]
        corners = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
        return [corners, raw[4:].T], ["boxes", "scores"]
    if family == "rtdetr-ultralytics-raw":
        scores = yolov8()[4:].T[:20]
        return [np.concatenate([np.divide(yolov8()[:4].T[:20], SIDE), scores], 1)], ["output0"]
    if family == "rfdetr":
        logits, boxes = detr("sigmoid")
        return [boxes, logits], ["dets", "labels"]
    if family in ("detr-hf", "rtdetr-hf"):
        logits, boxes = detr("softmax" if family == "detr-hf" else "sigmoid")
        return [logits, boxes], ["logits", "pred_boxes"]
    if family == "rtdetr":
        boxes, labels, scores = tables()
        return [labels, boxes, scores], ["labels", "boxes", "scores"]
    if family == "mmdeploy":
        boxes, labels, scores = tables()
        return [np.concatenate([boxes, scores[:, None]], 1), labels], ["dets", "labels"]
    if family == "tf2-detection":
        boxes, labels, scores = tables(base=1, order=(1, 0, 3, 2), scale=1 / SIDE)
        names = ["detection_boxes", "detection_classes", "detection_scores", "num_detections"]
        return [boxes, labels, scores, np.float32([2])], names
    raise KeyError(family)


def output_of(family):
    spec = FAMILIES[family].output
    if spec.get("layout") == "rows":
        columns = [c for c in spec["columns"] if c != "image"]
        scale = 1 / SIDE if spec.get("units") == "fraction" else 1.0
        return [rows(columns, scale)], ["output0"], dict(spec, columns=columns)
    outputs, names = written(family)
    return outputs, names, spec


DETECTORS = [n for n, f in FAMILIES.items() if f.task == "detection"]


@pytest.mark.parametrize("family", DETECTORS)
def test_every_family_of_detectors_gives_the_same_boxes(family):
    outputs, names, declared = output_of(family)
    spec = spec_of("detection", (1, 3, SIDE, SIDE), threshold=0.3, output=declared)
    told = Task(spec, LABELS, names)(outputs, (SIDE, SIDE))
    assert [(b["label"], b["index"]) for b in told["boxes"]] == [("pin", 2), ("bolt", 0)]
    for box, (_, score, corners) in zip(told["boxes"], OBJECTS):
        assert box["score"] == pytest.approx(score, abs=2e-3)
        assert np.multiply(box["box"], SIDE) == pytest.approx(corners, abs=0.01)


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "shorter_side_crop"])
@pytest.mark.parametrize("pad_at", ["centre", "end"])
@given(width=st.integers(20, 400), height=st.integers(20, 400))
@settings(max_examples=25, deadline=None)
def test_a_point_of_the_input_leads_back_to_the_pixel_that_is_seen_there(
    resize, pad_at, width, height
):
    """Independent of the formula: a bright mark is looked for in the transform's own tensor."""
    spec = spec_of(input={"resize": resize, "pad_at": pad_at, "pad": 0, "resize_to": 96},
                   shape=(1, 3, 96, 96)).input  # fmt: skip
    image = np.zeros((height, width, 3), np.uint8)
    x, y = width // 2, height // 2
    seen = max(width, height) // 48 + 1  # two points of the input: one between two is not seen
    reach_x, reach_y = min(x, max(seen, width // 20)), min(y, max(seen, height // 20))
    image[y - reach_y : y + reach_y, x - reach_x : x + reach_x] = 255
    tensor = np.zeros(spec.shape[1:], np.float32)
    size = Transform(spec, "exact")(cv2.imencode(".png", image)[1].tobytes(), tensor)
    assert size == (width, height)
    weight = tensor[0] / tensor[0].sum()
    columns, lines = np.arange(96) + 0.5, np.arange(96) + 0.5
    centre = (float((weight.sum(0) * columns).sum()), float((weight.sum(1) * lines).sum()))
    back = placement(spec, width, height).back(*centre)
    assert np.abs(np.subtract(np.multiply(back, size), (x, y))).max() < max(1.0, 0.02 * max(size))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_run_lengths_are_read_back_as_the_mask_that_they_were_made_of(width, height, seed, share):
    mask = np.random.RandomState(seed).rand(height, width) < share
    assert (pixels(run_lengths(mask)) == mask).all()


def test_a_run_length_is_what_cocos_own_library_wrote():
    """`pycocotools.mask.encode` of this mask, version 2.0.11."""
    mask = np.zeros((7, 9), bool)
    mask[1:4, 2:6] = True
    mask[5, 8] = True
    assert run_lengths(mask) == {"size": [7, 9], "counts": "?3400000b0N[O"}


@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_of_boxes_that_overlap_the_best_of_its_class_stays(count, seed):
    random = np.random.RandomState(seed)
    low = random.rand(count, 2) * 50
    boxes = np.concatenate([low, low + 5 + random.rand(count, 2) * 30], 1).astype(np.float32)
    scores, classes = random.rand(count).astype(np.float32), random.randint(0, 3, count)
    kept = suppressed(boxes, scores, classes, 0.5, agnostic=False)
    assert (np.diff(scores[kept]) <= 0).all()
    wanted = []
    for index in np.argsort(-scores, kind="stable"):
        rivals = [j for j in wanted if classes[j] == classes[index]]
        if all(overlap(boxes[index], boxes[j]) <= 0.5 for j in rivals):
            wanted.append(index)
    assert kept.tolist() == wanted


def overlap(a, b):
    width = max(0.0, float(min(a[2], b[2]) - max(a[0], b[0])))
    height = max(0.0, float(min(a[3], b[3]) - max(a[1], b[1])))
    areas = [float((c[2] - c[0]) * (c[3] - c[1])) for c in (a, b)]
    return width * height / (sum(areas) - width * height)
