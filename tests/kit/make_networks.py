"""`python make_networks.py FOLDER`: small networks as exporters write them (device interpreter)."""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

sys.path.insert(0, str(Path(__file__).parent / "lambdas"))
sys.path.insert(0, str(Path(__file__).parents[2]))

from model_kit import constant_net, onnx_model

SIDE = 64
ANCHORS = 64 + 16 + 4
NAMES = "{0: 'red part', 1: 'blue part'}"


def classifier(classes=3, dtype=TensorProto.FLOAT, channels=3, **more):
    """Mean colour × random weights: logits."""
    random = np.random.RandomState(0)
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    weights = {"w": random.randn(channels, classes).astype(np.float32)}
    inputs = [("x", dtype, ["N", channels, 32, 32])]
    return onnx_model(nodes, [("y", TensorProto.FLOAT, ["N", classes])], weights, inputs, **more)


def yolo(**metadata):
    """YOLOv8's head: a box of 24 px around every cell of 8 px that is red, or blue."""
    cells = [(np.mgrid[0 : SIDE // s, 0 : SIDE // s].reshape(2, -1)[::-1] + 0.5) * s
             for s in (8, 16, 32)]  # fmt: skip
    centre = np.concatenate(cells, axis=1)
    box = np.concatenate([centre, np.full((2, ANCHORS), 24)])[None].astype(np.float32)
    weights = np.zeros((2, 3, 8, 8), np.float32)
    weights[0, 0], weights[0, 1:], weights[1, 2], weights[1, :2] = 1, -1, 1, -1
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["c0"], strides=[8, 8]),
        helper.make_node("Clip", ["c0", "zero", "one"], ["c1"]),
        helper.make_node("Reshape", ["c1", "shape"], ["c2"]),
        helper.make_node("Concat", ["c2", "rest"], ["scores"], axis=2),
        helper.make_node("Concat", ["box", "scores"], ["output0"], axis=1),
    ]
    constants = {
        "w": weights / 64, "zero": np.float32(0), "one": np.float32(1),
        "shape": np.int64([1, 2, 64]), "rest": np.zeros((1, 2, 20), np.float32), "box": box,
    }  # fmt: skip
    outputs = [("output0", TensorProto.FLOAT, [1, 6, ANCHORS])]
    inputs = [("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    return onnx_model(nodes, outputs, constants, inputs, opset=17, **metadata)


def anomaly():
    """Anomalib's outputs: a map of brightness, its greatest value as the score."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["anomaly_map"], axes=[1], keepdims=1),
        helper.make_node("ReduceMax", ["anomaly_map"], ["pred_score"], axes=[1, 2, 3], keepdims=0),
    ]
    outputs = [("pred_score", TensorProto.FLOAT, [1]),
               ("anomaly_map", TensorProto.FLOAT, [1, 1, 32, 32])]  # fmt: skip
    return onnx_model(nodes, outputs, {}, [("x", TensorProto.FLOAT, [1, 3, 32, 32])])


def two_inputs():
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Mul", ["f", "scale"], ["y"]),
    ]
    inputs = [("scale", TensorProto.FLOAT, ["N", 1]), ("x", TensorProto.FLOAT, ["N", 3, 32, 32])]
    return onnx_model(nodes, [("y", TensorProto.FLOAT, ["N", 3])], {}, inputs)


def with_data_outside(path):
    model = classifier(3000)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) / 100, "w"))
    save(model, str(path), save_as_external_data=True, location=path.name + ".data",
         size_threshold=100)  # fmt: skip


def main(folder):
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = [10, 12, 30, 40, 0.91, 1]
    networks = {
        "classes": classifier(), "ir13": classifier(ir=13), "opset23": classifier(ir=10, opset=23),
        "grey": classifier(channels=1), "off-by-one": classifier(1001), "two-inputs": two_inputs(),
        "yolo": yolo(names=NAMES, stride=32, task="detect", imgsz=[SIDE, SIDE]),
        "yolo-bare": yolo(), "rows": constant_net({"output0": rows}), "anomaly": anomaly(),
    }  # fmt: skip
    for name, model in networks.items():
        save(model, str(folder / f"{name}.onnx"))
    with_data_outside(folder / "outside.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
