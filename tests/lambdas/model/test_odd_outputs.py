"""Networks whose outputs are no scores: refused with a sentence, never a result with status ok."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from model_kit import onnx_model, package
from onnx import TensorProto, helper

from lambdas.model.errors import ModelError
from lambdas.model.hooks import Hooks
from lambdas.model.onnx_file import read_onnx
from lambdas.model.runtimes.select import load_runtime
from lambdas.worker.warm_up import answered, verify

MEAN = [
    helper.make_node("GlobalAveragePool", ["x"], ["p"]),
    helper.make_node("Flatten", ["p"], ["y"]),
]
NUMBER = helper.make_node("ArgMax", ["y"], ["i"], axis=1, keepdims=0)


def proved(folder, nodes, outputs, constants=None, hooks=None, **more):
    found = package(folder, onnx_model(nodes, outputs, constants or {}), **more)
    return verify(found, load_runtime(found, -1), hooks or Hooks())


def test_numbers_of_classes_are_no_scores(tmp_path):
    with pytest.raises(ModelError, match=r"numbers of classes .*ArgMax"):
        proved(tmp_path, [*MEAN, NUMBER], [("i", TensorProto.INT64, ["N"])])


def test_one_score_has_no_softmax(tmp_path):
    one = [helper.make_node("ReduceSum", ["y"], ["z"], keepdims=1)]
    outputs = [("z", TensorProto.FLOAT, [1, 1])]

    with pytest.raises(ModelError, match=r"one score.*activation to sigmoid"):
        proved(tmp_path / "a", [*MEAN, *one], outputs)
    assert proved(tmp_path / "b", [*MEAN, *one], outputs, output={"activation": "sigmoid"})


def test_a_sequence_is_named(tmp_path):
    nodes = [*MEAN, helper.make_node("SequenceConstruct", ["y"], ["seq"])]
    model = onnx_model(nodes, [("y", TensorProto.FLOAT, ["N", 3])], {})
    del model.graph.output[:]
    model.graph.output.append(
        helper.make_tensor_sequence_value_info("seq", TensorProto.FLOAT, [1, 3])
    )
    found = package(tmp_path, model)

    with pytest.raises(ModelError, match="output 'seq' is a sequence, not a tensor"):
        verify(found, load_runtime(found, -1), Hooks())


def test_words_are_named_and_a_hook_may_read_them(tmp_path):
    nodes = [*MEAN, NUMBER, helper.make_node("Gather", ["words", "i"], ["name"])]
    words = {"words": np.array([b"cat", b"dog", b"cow"], object)}
    outputs = [("name", TensorProto.STRING, ["N"])]

    with pytest.raises(ModelError, match="output 'name' is a tensor of words"):
        proved(tmp_path / "a", nodes, outputs, words)
    hooks = Hooks(postprocess=lambda found, _: {"name": str(found[0])})
    assert proved(tmp_path / "b", nodes, outputs, words, hooks)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>404</html>", "HTML"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (b"", "empty"),
    ],
)
def test_a_file_that_is_something_else_is_named(tmp_path, content, named):
    (tmp_path / "net.onnx").write_bytes(content)

    with pytest.raises(ModelError, match=f"no ONNX model.*{named}"):
        read_onnx(str(tmp_path / "net.onnx"))


def constant(values, name):
    """An output that is always the same, for each image of the batch."""
    return {f"c_{name}": np.array(values, np.float32)}, [
        helper.make_node("ReduceMean", ["x"], [f"m_{name}"], keepdims=0),
        helper.make_node("Mul", [f"m_{name}", "zero"], [f"z_{name}"]),
        helper.make_node("Add", [f"c_{name}", f"z_{name}"], [name]),
    ]


def giving(folder, task, outputs, **more):
    constants, nodes, ports = {"zero": np.float32(0)}, [], []
    for name, values in outputs.items():
        made, added = constant(values, name)
        constants.update(made)
        nodes += added
        ports.append((name, TensorProto.FLOAT, list(np.shape(values))))
    return proved(folder, nodes, ports, constants, task=task, **more)


RAW = {"score": [[31.5]], "area": np.full((1, 1, 8, 8), 30.0)}


@pytest.mark.parametrize("output", [{"score": "score"}, {"map": "area"}])
def test_raw_anomaly_scores_are_refused_where_nothing_says_what_they_mean(tmp_path, output):
    with pytest.raises(ModelError, match=r"outside 0…1: raw values need output\.normalise"):
        giving(tmp_path, "anomaly", RAW, threshold=0.5, output=output)


def test_raw_anomaly_scores_are_read_by_their_threshold_or_their_limits(tmp_path):
    limits = {"threshold": 25, "min": 0, "max": 50}
    by_limits = {"score": "score", "normalise": {"score": limits}}
    assert giving(tmp_path / "a", "anomaly", RAW, threshold=0.5, output=by_limits)
    assert giving(tmp_path / "b", "anomaly", RAW, threshold=20, output={"score": "score"})


def test_classes_that_stand_last_are_read_where_that_is_declared_and_refused_else(tmp_path):
    values = np.zeros((1, 8, 8, 3), np.float32)
    values[0, :2, :, 2] = 5
    first, last = {"layout": "logits"}, {"layout": "logits_last"}
    task, labels = "semantic_segmentation", ["ground", "road", "car"]
    with pytest.raises(ModelError, match="gives 8 classes and the package names 3"):
        giving(tmp_path / "a", task, {"y": values}, labels=labels, output=first)
    model = giving(tmp_path / "b", task, {"y": values}, labels=labels, output=last)
    picture = tmp_path / "grey.png"
    cv2.imwrite(str(picture), np.full((16, 16, 3), 128, np.uint8))
    found = answered(model, str(picture))["classes"]
    assert [(c["label"], c["share"]) for c in found] == [("ground", 0.75), ("car", 0.25)]


def test_a_class_below_the_base_is_refused_and_not_dropped(tmp_path):
    outputs = {"boxes": [[[1, 1, 5, 5], [0, 0, 0, 0]]], "labels": [[0, 0]], "scores": [[0.9, 0.0]]}
    spec = {"layout": "boxes_labels_scores", "boxes": 0, "labels": 1, "scores": 2}
    with pytest.raises(ModelError, match=r"class 0 where output\.class_base is 1"):
        giving(tmp_path / "a", "detection", outputs, threshold=0.3, output=dict(spec, class_base=1))
    assert giving(tmp_path / "b", "detection", outputs, threshold=0.3, output=spec)
