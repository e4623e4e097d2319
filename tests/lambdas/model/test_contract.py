"""What a model has to verify before it serves, and what its outputs can never do."""

import sys
import types

import cv2
import numpy as np
import pytest
from inference_kit import Bus, start, work
from model_kit import constant_net, onnx_model, package, seal
from onnx import TensorProto, helper

from lambdas.model.errors import ModelError
from lambdas.model.hooks import Hooks
from lambdas.model.package import load_package
from lambdas.model.runtimes.select import load_runtime
from lambdas.worker.warm_up import answered, verify

SIDE = 32


def proved(found, hooks=None):
    return verify(found, load_runtime(found, -1), hooks or Hooks())


def mean_net(weights, **more):
    """Scores = the picture's mean colour × `weights` (3 × classes)."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    outputs = [("y", TensorProto.FLOAT, ["N", np.shape(weights)[1]])]
    return onnx_model(nodes, outputs, {"w": np.float32(weights)}, **more)


def brightness_rows(columns):
    """A network with NMS inside: one row where the picture is bright, none where it is dark."""
    row = np.float32([[0, 10, 10, 20, 30, 1, 0.9]])[:, :columns]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], keepdims=0),
        helper.make_node("Greater", ["m", "limit"], ["b"]),
        helper.make_node("Unsqueeze", ["b", "first"], ["b1"]),
        helper.make_node("Compress", ["row", "b1"], ["dets"], axis=0),
    ]
    constants = {"limit": np.float32(200), "row": row, "first": np.int64([0])}
    return onnx_model(nodes, [("dets", TensorProto.FLOAT, ["K", columns])], constants)


def picture(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((SIDE, SIDE, 3), value, np.uint8))
    return path


ROWS = {"layout": "rows", "columns": ["image", "x0", "y0", "x1", "y1", "class", "score"]}


def test_an_empty_scene_is_a_result_with_no_box_and_ends_no_worker(tmp_path):
    package(tmp_path / "m", brightness_rows(7), "detection", ["a", "b"], output=ROWS)
    bus = Bus()
    worker = start(tmp_path, tmp_path / "m", bus)
    dark, bright = (picture(tmp_path / "images" / f"{v}.png", v) for v in (0, 255))
    worker.handle(work("b-1", dark.name, bright.name))
    bus.wait(lambda: len(bus.results()) == 2)
    worker.stop()
    found = [record["output"]["boxes"] for record in bus.results()]
    assert [len(boxes) for boxes in found] == [0, 1]
    assert found[1][0]["box"] == pytest.approx([10 / 32, 10 / 32, 20 / 32, 30 / 32], abs=1e-5)
    assert (found[1][0]["label"], found[1][0]["score"]) == ("b", 0.9)


def test_rows_without_an_image_column_are_whole_outputs_for_a_hook(tmp_path):
    found = package(tmp_path / "m", brightness_rows(7), "detection", output=ROWS)
    hook = Hooks(postprocess=lambda outputs, context: {"rows": len(outputs[0]), "of": context.size})
    seal(tmp_path / "m", dict(READ(tmp_path / "m"), output={}, task="ssd_detection"))
    model = proved(load_package(str(tmp_path / "m")), hook)
    told = [answered(model, str(picture(tmp_path / f"{v}.png", v))) for v in (0, 255)]
    assert told == [{"rows": 0, "of": (SIDE, SIDE)}, {"rows": 1, "of": (SIDE, SIDE)}]
    assert found.spec.output.columns[0] == "image"


def READ(folder):  # noqa: N802
    import json

    return json.loads((folder / "model.json").read_text())


@pytest.mark.parametrize(
    ("arrays", "task", "output", "sentence"),
    [
        ({"y": [[np.nan, 0.5]]}, "classification", {}, "not finite"),
        ({"y": [[3.0, -1.0]]}, "classification", {"softmax": False}, "set output.softmax to true"),
        ({"y": [[0.75, 0.25]]}, "classification", {"softmax": True}, "sum to 1 already"),
        ({"y": [[0.5, 0.3, 0.2]]}, "classification", {}, "gives 3 classes and the package names 2"),
        ({"y": np.zeros((1, 4, 6))}, "classification", {}, "one value per class"),
        ({"y": np.zeros((2, 2))}, "classification", {}, "one value per class"),
        ({"y": [[[0, 9.0, 0, 0, 1, 1]]]}, "ssd_detection", {}, "score of 9, outside 0…1"),
        ({"y": [[[2, 0.9, 0, 0, 1, 1]]]}, "ssd_detection", {}, "class 2, the package names 2"),
        ({"y": [[[0.5, 0.9, 0, 0, 1, 1]]]}, "ssd_detection", {}, "no whole number"),
        ({"y": [[[0, 0.9, 0.8, 0, 0.1, 1]]]}, "ssd_detection", {}, "corners in no order"),
        ({"y": np.zeros((1, 5))}, "ssd_detection", {}, "N×6 output"),
    ],
)  # fmt: skip
def test_outputs_that_do_not_fit_the_package_stop_it_at_warm_up(
    tmp_path, arrays, task, output, sentence
):
    found = package(tmp_path, constant_net(arrays), task, ["a", "b"], output=output)
    with pytest.raises(ModelError, match=f"fails its warm-up: .*({sentence})"):
        proved(found)


def test_an_output_that_does_not_fit_one_image_is_its_error_record(tmp_path):
    """Finite on made pictures; NaN where a picture is all white."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["full", "m"], ["d"]),
        helper.make_node("Div", ["d", "d"], ["one"]),
        helper.make_node("Unsqueeze", ["one", "last"], ["col"]),
        helper.make_node("Mul", ["col", "half"], ["y"]),
    ]
    constants = {
        "full": np.float32(255), "last": np.int64([1]), "half": np.float32([[0.5, 0.5]]),
    }  # fmt: skip
    model = onnx_model(nodes, [("y", TensorProto.FLOAT, ["N", 2])], constants)
    package(tmp_path / "m", model, labels=["a", "b"])
    bus = Bus()
    worker = start(tmp_path, tmp_path / "m", bus)
    white, grey = (picture(tmp_path / "images" / f"{v}.png", v) for v in (255, 90))
    worker.handle(work("b-1", white.name, grey.name))
    bus.wait(lambda: len(bus.results()) == 2)
    worker.stop()
    records = bus.results()
    assert [r["status"] for r in records] == ["failed", "ok"]
    assert records[0]["reason"] == "model_error"
    assert "not finite" in records[0]["detail"]


@pytest.mark.parametrize(
    ("weights", "given"), [(np.eye(3) / 255, {}), (np.eye(3), {}), (np.eye(3), {"softmax": True})]
)
def test_logits_and_scores_are_told_apart(tmp_path, weights, given):
    found = package(tmp_path / "m", mean_net(weights), output=given)
    top = answered(proved(found), str(picture(tmp_path / "p.png", 200)))["top"]
    assert all(0 <= entry["score"] <= 1 for entry in top)
    is_logits = weights.max() == 1
    assert sum(e["score"] for e in top) == pytest.approx(1.0 if is_logits else 3 * 200 / 255, 0.01)


def test_a_probe_that_is_answered_right_lets_the_model_serve_and_a_wrong_one_does_not(tmp_path):
    folder = tmp_path / "m"
    probes = [{"file": "probes/red.png", "expect": {"top": [{"index": 2, "score": 1.0}]}}]
    (folder / "probes").mkdir(parents=True)
    cv2.imwrite(str(folder / "probes/red.png"), np.full((40, 40, 3), (0, 0, 255), np.uint8))
    weights = np.float32([[0, 0, 1], [0, 1, 0], [1, 0, 0]])  # red is class 2
    proved(package(folder, mean_net(weights), labels=["b", "g", "r"], probes=probes))
    swapped = package(folder, mean_net(weights), labels=["b", "g", "r"], probes=probes,
                      input={"colour": "bgr"})  # fmt: skip
    with pytest.raises(ModelError, match=r"probe probes/red\.png: expected class 2, answered b"):
        proved(swapped)


@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.FLOAT16, TensorProto.FLOAT])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_pixels_arrive_as_they_are_in_every_element_type(tmp_path, dtype, runtime):
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["c"], ["p"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["p", "unit"], ["y"]),
    ]
    model = onnx_model(
        nodes, [("y", TensorProto.FLOAT, [1, 3])], {"unit": np.float32(1 / 255)},
        [("x", dtype, [1, 3, SIDE, SIDE])],
    )  # fmt: skip
    found = package(tmp_path / "m", model, output={"softmax": False})
    if runtime == "openvino":
        found = as_openvino(tmp_path / "m")
    top = answered(proved(found), str(picture(tmp_path / "p.png", 102)))["top"]
    assert top[0]["score"] == pytest.approx(0.4, abs=1e-3)


def as_openvino(folder):
    from lambdas.model.runtimes.openvino_runtime import import_openvino

    ov = import_openvino()
    model = ov.convert_model(str(folder / "model.onnx"))
    ov.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    (folder / "model.onnx").unlink()
    document = dict(READ(folder), runtime="openvino", model="model.xml", weights="model.bin")
    seal(folder, document)
    return load_package(str(folder))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_uint8_input_with_a_mean_is_refused_and_never_fed_in_silence(tmp_path, runtime):
    model = constant_net({"y": [[0.5, 0.5]]}, dtype=TensorProto.UINT8)
    found = package(tmp_path, model, input={"normalise": "0-1"})
    found = as_openvino(tmp_path) if runtime == "openvino" else found
    with pytest.raises(ModelError, match="is of uint8 and takes pixels as they are"):
        load_runtime(found, -1)


def test_one_channel_is_the_luma_of_the_picture(tmp_path):
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    model = onnx_model(
        nodes, [("y", TensorProto.FLOAT, ["N", 1])], {}, [("x", TensorProto.FLOAT, [1, 1, 32, 32])]
    )
    found = package(tmp_path / "m", model, shape=(1, 1, 32, 32),
                    input={"normalise": "0-1"}, output={"softmax": False})  # fmt: skip
    colour = np.full((50, 40, 3), (10, 200, 90), np.uint8)
    cv2.imwrite(str(tmp_path / "p.png"), colour)
    luma = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).mean() / 255
    top = answered(proved(found), str(tmp_path / "p.png"))["top"]
    assert top[0]["score"] == pytest.approx(luma, abs=2e-3)


def test_a_second_input_gets_the_constant_that_the_package_gives_it(tmp_path):
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Mul", ["f", "scale"], ["y"]),
    ]
    inputs = [("scale", TensorProto.FLOAT, ["N", 1]), ("x", TensorProto.FLOAT, ["N", 3, 32, 32])]
    model = onnx_model(nodes, [("y", TensorProto.FLOAT, ["N", 3])], {}, inputs)
    with pytest.raises(ModelError, match=r"second input 'scale'.*under input in model\.json"):
        load_runtime(package(tmp_path / "a", model), -1)
    extra = {"extra": {"scale": {"value": 1 / 510}}}
    found = package(tmp_path / "b", model, input=extra, output={"softmax": False})
    top = answered(proved(found), str(picture(tmp_path / "p.png", 204)))["top"]
    assert top[0]["score"] == pytest.approx(0.4, abs=1e-3)


def test_a_hook_that_fails_on_every_picture_fails_the_warm_up(tmp_path, monkeypatch):
    module = types.ModuleType("broken_hooks")
    module.postprocess = lambda outputs: outputs[9]
    monkeypatch.setitem(sys.modules, "broken_hooks", module)
    package(tmp_path / "m", constant_net({"y": [[0.5, 0.5]]}))
    with pytest.raises(ModelError, match="`postprocess` fails on every picture: IndexError"):
        start(tmp_path, tmp_path / "m", Bus(), FANFOLD_HOOKS="broken_hooks")
