"""Small networks and their packages, for the tests of what a model may be."""

import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from contract.digests import sha256_of
from lambdas.model.package import load_package
from lambdas.model.spec import parse_model


def spec_of(task="classification", shape=(1, 3, 32, 32), **changed):
    """A `ModelSpec`, by way of model.json; `input` and `output` are merged in."""
    document = {
        "v": 1, "name": "net", "version": "1", "runtime": "simulated", "task": task,
        "input": {"shape": list(shape), **changed.pop("input", {})}, **changed,
    }  # fmt: skip
    return parse_model(json.dumps(document).encode())


def onnx_model(nodes, outputs, constants=(), inputs=None, ir=8, opset=13, **metadata):
    """`outputs`, `inputs`: (name, type, shape); `constants`: name → array."""

    def ports(entries):
        return [helper.make_tensor_value_info(*entry) for entry in entries]

    inputs = inputs or [("x", TensorProto.FLOAT, ["N", 3, 32, 32])]
    weights = [numpy_helper.from_array(np.asarray(v), k) for k, v in dict(constants).items()]
    graph = helper.make_graph(nodes, "g", ports(inputs), ports(outputs), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = ir
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=str(value))
    return model


def constant_net(arrays, shape=(1, 3, 32, 32), dtype=TensorProto.FLOAT, **more):
    """A network whose outputs are `arrays` (name → array), whatever the picture."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "none"], ["zero"]),
    ]
    constants = {"none": np.float32(0)}
    outputs = []
    for name, array in arrays.items():
        constants["c_" + name] = np.float32(array)
        nodes.append(helper.make_node("Add", ["c_" + name, "zero"], [name]))
        outputs.append((name, TensorProto.FLOAT, list(np.shape(array))))
    inputs = [("x", dtype, list(shape))]
    return onnx_model(nodes, outputs, constants, inputs, **more)


def package(folder, model, task="classification", labels=None, **changed):
    """Write `model` (ONNX) and its model.json below `folder`; returns the loaded package."""
    folder.mkdir(parents=True, exist_ok=True)
    if model is not None:
        (folder / "model.onnx").write_bytes(model.SerializeToString())
    shape = changed.pop("shape", (1, 3, 32, 32))
    document = {
        "v": 1, "name": "net", "version": "1", "runtime": "onnxruntime", "task": task,
        "model": "model.onnx",
        "input": {"name": "x", "shape": list(shape), **changed.pop("input", {})}, **changed,
    }  # fmt: skip
    if labels is not None:
        (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
        document["labels"] = "labels.txt"
    seal(folder, document)
    return load_package(str(folder))


def seal(folder, document):
    """Write model.json with the hashes of all files beside it."""
    names = [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()]
    document["files"] = {
        name: sha256_of(str(folder / name)) for name in names if name != "model.json"
    }
    (folder / "model.json").write_text(json.dumps(document))
