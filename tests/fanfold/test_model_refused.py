"""Networks that take no picture, and files that tools write around one: named, or read."""

from __future__ import annotations

import json
import tarfile
import zipfile

import pytest

from fanfold.common.errors import UserError
from fanfold.device import trying
from lambdas.model.errors import ModelError
from lambdas.model.onnx_file import Port
from models.draft import Overrides, draft, image_port, refuse_no_picture, write
from models.facts import Facts, read_facts
from models.recognise import Found, recognise


def network(dtype, *shape):
    return Facts("onnxruntime", {}, (Port("x", dtype, shape),), (Port("y", "float32", ()),), {})


@pytest.mark.parametrize(
    ("dtype", "shape", "named"),
    [
        ("float32", (3, 64, 64), "with a batch axis"),
        ("int64", (1, 128), "takes no picture"),
        ("float64", (1, 3, 64, 64), "float32, float16, uint8"),
        ("int8", (1, 3, 64, 64), "float32, float16, uint8"),
        ("float32", (1, 6, 64, 64), "6 channels"),
        ("float32", (1, 64, 64, 4), "pictures here have 1 or 3"),
    ],
)
def test_a_network_that_takes_no_picture_is_refused_by_its_input_before_anything_is_asked(
    dtype, shape, named
):
    with pytest.raises(ModelError, match=named) as refused:
        refuse_no_picture(network(dtype, *shape))
    assert "'x'" in str(refused.value)


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("float32", (None, None, None, None)),
        ("uint8", (1, 64, 64, 3)),
        ("float16", (1, 1, 64, 64)),
        ("unknown", ()),
    ],
)
def test_a_network_that_may_take_a_picture_is_not_refused(dtype, shape):
    facts = network(dtype, *shape)
    refuse_no_picture(facts)
    assert image_port(facts).name == "x"


@pytest.mark.parametrize(
    ("dtype", "shape", "family", "words"),
    [
        ("uint8", (1, 3, 64, 64), "unit", "but 0 to 255: the input is uint8"),
        ("uint8", (1, 3, 64, 64), "raw", None),
        ("float32", (1, 1, 64, 64), "caffe", "caffe has no value for one channel"),
        ("float32", (1, 3, 64, 64), "caffe", None),
    ],
)
def test_what_a_file_leaves_no_room_for_is_said_in_its_model_json(
    tmp_path, dtype, shape, family, words
):
    (tmp_path / "net.onnx").write_bytes(b"")
    facts = network(dtype, *shape)._replace(files={"model": tmp_path / "net.onnx"})
    write(draft(facts, Found(family, "as declared"), Overrides("net")), tmp_path / "out")
    written = (tmp_path / "out/model.json").read_text()
    assert f"as {family} wants its pictures" in written
    assert ("pictures, but" in written) is (words is not None)
    assert (words or "") in written


def test_weights_in_a_folder_beside_the_network_are_copied_where_it_looks_for_them(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("net.onnx", "data/w.bin"):
        (tmp_path / name).write_bytes(name.encode())
    facts = network("float32", 1, 3, 64, 64)._replace(
        files={"model": tmp_path / "net.onnx"}, others=(tmp_path / "data/w.bin",)
    )
    write(draft(facts, Found("unit", "as declared"), Overrides("net")), tmp_path / "out")
    assert (tmp_path / "out/data/w.bin").read_bytes() == b"data/w.bin"
    assert '"files": ["data/w.bin"]' in (tmp_path / "out/model.json").read_text()


def test_what_ultralytics_writes_beside_its_torchscript_says_what_it_is(tmp_path):
    words = {"names": {"0": "bolt", "1": "nut"}, "task": "detect", "stride": 32,
             "imgsz": [64, 96], "end2end": False}  # fmt: skip
    with zipfile.ZipFile(tmp_path / "best.torchscript", "w") as archive:
        archive.writestr("best/code/__torch__.py", "")
        archive.writestr("best/extra/config.txt", json.dumps(words))
    facts = read_facts(tmp_path / "best.torchscript")
    found = recognise(facts, None, None)
    assert (found.family, found.labels) == ("yolov8", ("bolt", "nut"))


TRAINING = {
    "nodes": [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "label", "inputs": []},
        {"op": "SoftmaxOutput", "name": "cls_prob", "inputs": [[0, 0, 0], [1, 0, 0]]},
        {"op": "MakeLoss", "name": "loc_loss", "inputs": [[0, 0, 0]]},
    ],
    "heads": [[2, 0, 0], [3, 0, 0]],
}


@pytest.mark.parametrize("below", ["", "model/"])
def test_a_sagemaker_archive_is_read_as_it_was_downloaded(tmp_path, below, fanfold):
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, body in (("n-symbol.json", TRAINING), ("n-0000.params", 0)):
            (tmp_path / name).write_text(json.dumps(body))
            tar.add(tmp_path / name, f"./{below}{name}")
    said = fanfold("model", "new", str(archive), "--out", str(tmp_path / "out"))
    assert said.code == 2
    assert "is the training network (outputs cls_prob, loc_loss" in said.err


def test_a_package_is_said_to_be_one_already(tmp_path, fanfold):
    (tmp_path / "model.json").write_text("{}")
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "model.json", "model.json")
    said = fanfold("model", "new", str(tmp_path / "p.tar.gz"))
    assert said.code == 2
    assert "is a package already: fanfold model try" in said.err


def test_a_device_without_pytorch_is_told_what_brings_it(monkeypatch):
    monkeypatch.setattr(trying, "answer", lambda *_: "False")
    with pytest.raises(UserError, match=r"lacks torch.* -m pip install torch$"):
        trying.interpreter("pytorch")
    with pytest.raises(UserError, match="requirements-device-runtimes"):
        trying.interpreter("onnxruntime")
