"""Every layout is recognised by what its file says, or refused with a question: never guessed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.model.errors import ModelError
from lambdas.model.onnx_file import Port
from lambdas.model.spec import parse_model
from lambdas.model.tasks.anchors import anchor_based, anchor_free
from models.draft import Overrides, document, draft
from models.facts import Facts
from models.families import FAMILIES
from models.jsonc import read
from models.recognise import Found, Question, Side, labels_of, recognise

SIDE = Side(640, 640)
ROWS_OF_SIX = {"yolo-end2end", "rtdetr-ultralytics", "ssd-mxnet"}
NAMES = "{0: 'bolt', 1: 'nut'}"
THREE = "['bolt', 'nut', 'pin']"
SIDES = st.sampled_from([1, 2, 4, 5, 6, 7, 56, 84, 85, 91, 116, 300, 1000, 2100, 8400, 25200, None])


def facts(*outputs, inputs=(), metadata=None, makers=None, operators=()):
    image = Port("images", "float32", (1, 3, *SIDE))
    ports = tuple(Port(name, dtype, shape) for name, dtype, shape in outputs)
    return Facts("onnxruntime", {}, (image, *inputs), ports, metadata or {}, frozenset(operators),
                 makers or {})  # fmt: skip


def one(*shape, **more):
    return facts(("output0", "float32", shape), **more)


def ultralytics(task="detect", **more):
    return {"names": NAMES, "stride": "32", "task": task, **more}


@pytest.mark.parametrize(
    ("found", "family"),
    [
        (one(1, 6, 8400, metadata=ultralytics()), "yolov8"),
        (one(1, 300, 6, metadata=ultralytics(end2end="True")), "yolo-end2end"),
        (one(1, 300, 6, metadata=ultralytics(args="{'nms': True}")), "yolo-end2end"),
        (one(1, 300, 6, metadata=ultralytics(head="RTDETRDecoder")), "rtdetr-ultralytics"),
        (one(1, 300, 6, metadata=ultralytics(description="Ultralytics rtdetr-l")),
         "rtdetr-ultralytics"),
        (one(1, 300, 7, metadata=dict(ultralytics(head="RTDETRDecoder"), names=THREE)),
         "rtdetr-ultralytics-raw"),
        (one(1, 300, 6, metadata=ultralytics(description="Ultralytics RT-DETR-l",
                                             version="8.3.40")), "rtdetr-ultralytics-raw"),
        (one(1, 300, 6, metadata=ultralytics(description="Ultralytics YOLOv10n model")),
         "yolo-end2end"),
        (one(None, None, None, metadata=ultralytics(end2end="True")), "yolo-end2end"),
        (one(1, 300, 38, metadata=ultralytics("segment", end2end="True")), "yolo-end2end-seg"),
        (one(1, 38, 8400, metadata=ultralytics("segment")), "yolov8-seg"),
        (one(1, 2, metadata=ultralytics("classify")), "ultralytics-cls"),
        (one(1, 25200, 7, metadata={"names": NAMES, "stride": "32"}), "yolov5"),
        (facts(("dets", "float32", (1, 300, 4)), ("labels", "float32", (1, 300, 91))), "rfdetr"),
        (facts(("dets", "float32", (1, 100, 5)), ("labels", "int64", (1, 100))), "mmdeploy"),
        (facts(("pred_score", "float32", (1,)), ("anomaly_map", "float32", (1, 1, 8, 8))),
         "anomalib"),
        (facts(("o", "float32", (None, 6)), inputs=(Port("scale_factor", "float32", (1, 2)),)),
         "paddle"),
        (facts(("labels", "int64", (1, 300)), ("boxes", "float32", (1, 300, 4)),
               ("scores", "float32", (1, 300)),
               inputs=(Port("orig_target_sizes", "int64", (1, 2)),)), "rtdetr"),
    ],
)  # fmt: skip
def test_what_a_file_says_of_itself_decides(found, family):
    told = recognise(found, SIDE, None)
    assert isinstance(told, Found), told
    assert told.family == family


@pytest.mark.parametrize(
    ("shape", "candidates"),
    [
        ((1, 300, 6), ROWS_OF_SIX),
        ((1, 8400, 6), {"yolox", "yolox-decoded", "yolov5", *ROWS_OF_SIX}),
        ((1, 25200, 6), {"yolov5", *ROWS_OF_SIX}),
        ((1, None, 6), {"yolox", "yolox-decoded", "yolov5", *ROWS_OF_SIX}),
        ((1, 8400, 85), {"yolox", "yolox-decoded", "yolov5"}),
        ((None, 7), {"yolov7-end2end", "yolo-nas-flat"}),
        ((1, 1, 64, 64), {"semantic-binary", "anomaly-map"}),
        ((1, 1000), {n for n, f in FAMILIES.items() if f.task == "classification"}),
    ],
)
def test_shapes_that_several_families_have_are_a_question(shape, candidates):
    asked = recognise(one(*shape), SIDE, None)
    assert isinstance(asked, Question)
    assert set(asked.candidates) == candidates


def test_heads_that_no_family_here_has_are_offered_as_none():
    heads = [(f"h{n}", "float32", (1, 255, side, side)) for n, side in enumerate((80, 40, 20))]
    assert recognise(facts(*heads), SIDE, None).candidates == ()


def test_a_classifier_that_also_gives_its_features_is_asked_about_as_a_classifier():
    found = facts(("y", "float32", (1, 3)), ("features", "float32", (1, 512)))
    kinds = {FAMILIES[name].task for name in recognise(found, SIDE, None).candidates}
    assert kinds == {"classification"}


def test_detr_of_hugging_face_is_asked_about_because_its_names_say_too_little():
    found = facts(("logits", "float32", (1, 100, 92)), ("pred_boxes", "float32", (1, 100, 4)))
    assert recognise(found, SIDE, 91) == Question(
        ("detr-hf", "rtdetr-hf"), "logits float32 [1, 100, 92], pred_boxes float32 [1, 100, 4]"
    )


@pytest.mark.parametrize(
    ("shape", "said"), [((1, 6, 8400), {"end2end": "True"}), ((1, 300, 6), {"end2end": "False"}),
                        ((1, 6, 8400), {"args": "{'nms': True}"})],
)  # fmt: skip
def test_metadata_that_the_outputs_shape_contradicts_is_refused(shape, said):
    with pytest.raises(ModelError, match=r"metadata says .* output is .* export it again"):
        recognise(one(*shape, metadata=ultralytics(**said)), SIDE, None)


@given(st.lists(SIDES, min_size=3, max_size=3), st.integers(1, 100),
       st.sampled_from([{}, {"end2end": "True"}, {"end2end": "False"}, {"args": "{'nms': True}"},
                        {"head": "RTDETRDecoder"}]))  # fmt: skip
def test_of_ultralytics_whatever_its_shape_what_is_read_fits_or_is_refused(shape, classes, said):
    names = str([f"c{number}" for number in range(classes)])
    try:
        told = recognise(one(*shape, metadata=dict(ultralytics(**said), names=names)), SIDE, None)
    except ModelError:
        return
    _, rows, columns = shape
    only_raw = rows == 4 + classes and columns not in (None, 6)
    only_rows = rows not in (None, 4 + classes) and columns == 6
    assert not (told.family == "yolov8" and only_rows)
    assert not (told.family == "yolo-end2end" and only_raw)
    assert told.family != "rtdetr-ultralytics-raw" or columns == 4 + classes


@pytest.mark.parametrize("task", ["pose", "obb", "depth"])
def test_a_task_that_is_not_done_is_refused_by_its_name(task):
    with pytest.raises(ModelError, match=task):
        recognise(one(1, 56, 8400, metadata=ultralytics(task)), SIDE, None)


def test_a_network_for_tensorrt_is_refused_by_its_operator():
    with pytest.raises(ModelError, match="EfficientNMS_TRT"):
        recognise(one(1, 100, 4, operators=["EfficientNMS_TRT"]), SIDE, None)


@given(
    st.lists(SIDES, min_size=1, max_size=4), st.integers(1, 100), st.sampled_from([320, 416, 640])
)
def test_a_shape_alone_is_read_only_where_the_labels_leave_one_reading(shape, classes, side):
    told = recognise(one(*shape), Side(side, side), classes)
    if isinstance(told, Question):
        assert told.candidates
        return
    _, rows, columns = shape
    as_v8 = rows == 4 + classes and columns in anchor_free(side, side)
    as_v5 = rows in anchor_based(side, side) and columns == 5 + classes
    assert (told.family == "yolov8") == as_v8
    assert (told.family == "yolov5") == as_v5
    assert as_v8 != as_v5


@given(st.lists(SIDES, min_size=1, max_size=4))
def test_without_labels_and_metadata_no_shape_is_ever_read(shape):
    assert isinstance(recognise(one(*shape), SIDE, None), Question)


def test_names_in_metadata_may_have_words_for_keys_as_json_has():
    assert labels_of({"names": '{"1": "b", "0": "a"}'}) == ("a", "b")


@pytest.mark.parametrize("text", ["__import__('os').system('x')", "{0: 'a', 2: 'b'}", "{0:"])
def test_names_in_metadata_are_a_literal_that_counts_from_0_or_refused(text):
    with pytest.raises(ModelError, match="names"):
        labels_of({"names": text})


@pytest.mark.parametrize(
    ("family", "side"),
    list(itertools.product(FAMILIES, [Side(640, 640), Side(320, 480)])),
)
def test_what_is_drafted_for_any_family_is_a_model_json_that_is_read(family, side):
    image = Port("images", "float32", (1, 3, *side))
    names = ("dets", "labels", "boxes", "scores", "logits", "pred_boxes", "pred_score",
             "anomaly_map", "detection_boxes", "detection_classes", "detection_scores",
             "num_detections")  # fmt: skip
    outputs = tuple(Port(name, "float32", (1, 10, 6)) for name in names)
    found = Facts("simulated", {}, (image,), outputs, {})
    made = draft(found, Found(family, "as declared", ("bolt", "nut")), Overrides("net"))
    entries = [entry for entry in made.entries if entry[0] != "labels"]
    spec = parse_model(document_bytes(entries))
    assert (spec.input.height_px, spec.input.width_px) == side
    assert spec.task == FAMILIES[family].task


def document_bytes(entries):
    import json

    return json.dumps(read(document(entries).encode())).encode()
