"""Networks whose outputs are no scores: refused with a sentence, never a result with status ok."""

from __future__ import annotations

import numpy as np
import pytest
from model_kit import onnx_model, package
from onnx import TensorProto, helper

from lambdas.model.errors import ModelError
from lambdas.model.hooks import Hooks
from lambdas.model.onnx_file import read_onnx
from lambdas.model.runtimes.select import load_runtime
from lambdas.worker.warm_up import prove

MEAN = [
    helper.make_node("GlobalAveragePool", ["x"], ["p"]),
    helper.make_node("Flatten", ["p"], ["y"]),
]
NUMBER = helper.make_node("ArgMax", ["y"], ["i"], axis=1, keepdims=0)


def proved(folder, nodes, outputs, constants=None, hooks=None, **more):
    found = package(folder, onnx_model(nodes, outputs, constants or {}), **more)
    return prove(found, load_runtime(found, -1), hooks or Hooks())


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
        prove(found, load_runtime(found, -1), Hooks())


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
