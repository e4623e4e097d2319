"""From a network's file to a package that serves, as a user types it."""

from __future__ import annotations

import json
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from fanfold.common.project import PROJECT
from fanfold.device.interpreters import device_python
from fanfold.reference.answers import ANSWERS
from models.jsonc import read

RED = (230, 10, 10)


@pytest.fixture(scope="session")
def networks(tmp_path_factory) -> Path:
    """Networks as exporters write them, made by the device's interpreter, which has onnx."""
    python = device_python()
    if python is None:
        pytest.skip("no device interpreter")
    folder = tmp_path_factory.mktemp("networks")
    subprocess.run([python, PROJECT / "tests/kit/make_networks.py", folder], check=True)
    return folder


@pytest.fixture
def photo(tmp_path) -> Path:
    """A red square of 32 px at (64, 32) of 128 × 128: in a network of 64 px at (32, 16)."""
    image = np.full((128, 128, 3), 128, np.uint8)
    image[32:64, 64:96] = RED
    path = tmp_path / "photo.png"
    Image.fromarray(image).save(path)
    return path


def folder_of(tmp_path: Path, network: Path, **changed) -> Path:
    """A folder with `network` and a model.json of the user's own."""
    folder = tmp_path / "mine"
    folder.mkdir(exist_ok=True)
    for path in network.parent.glob(network.name + "*"):
        (folder / path.name).write_bytes(path.read_bytes())
    model = {
        "v": 1, "name": "mine", "version": "1", "runtime": "onnxruntime", "task": "classification",
        "model": network.name, "input": {"name": "x", "shape": [1, 3, 32, 32]}, **changed,
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(model))
    return folder


def test_two_commands_lead_from_a_yolo_to_drawn_boxes_and_a_package_with_a_probe(
    fanfold, networks, photo, tmp_path
):
    folder, package = tmp_path / "yolo", tmp_path / "yolo.tar.gz"
    new = fanfold("model", "new", str(networks / "yolo.onnx"), "--out", str(folder),
                  "--images", str(photo))  # fmt: skip
    assert new.code == 0, new.err
    assert "metadata is Ultralytics" in new.out
    assert "red part" in new.out
    drawn = Image.open(folder / "tried" / "photo.png")
    assert drawn.size == (128, 128)
    assert np.asarray(drawn).std() > np.asarray(Image.open(photo)).std()

    assert fanfold("model", "pack", str(folder), "--out", str(package)).code == 0
    said = fanfold("model", "try", str(package), str(photo), "--json", "--out", str(tmp_path / "d"))
    box = json.loads(said.out)["output"]["boxes"][0]
    assert box["label"] == "red part"
    corners = np.multiply(box["box"], 128)
    assert np.abs(corners - [56, 24, 104, 72]).max() < 17  # a cell beside the middle


def test_model_new_prints_one_object_of_the_promised_form(fanfold, networks, photo, tmp_path):
    folder = tmp_path / "yolo"
    said = fanfold("model", "new", str(networks / "yolo.onnx"), "--out", str(folder),
                   "--images", str(photo), "--json")  # fmt: skip
    answer = json.loads(said.out)

    TypeAdapter(ANSWERS["model new"]).validate_python(answer)
    assert (answer["path"], answer["family"]) == (str(folder / "model.json"), "yolov8")
    assert (answer["probes"], len(answer["answers"])) == (1, 1)
    assert answer["answers"][0]["output"]["boxes"][0]["label"] == "red part"


def test_what_model_new_writes_has_its_reasons_in_comments_and_pack_reads_them(
    fanfold, networks, tmp_path
):
    folder = tmp_path / "yolo"
    assert fanfold("model", "new", str(networks / "yolo.onnx"), "--out", str(folder)).code == 0
    text = (folder / "model.json").read_text()
    assert "// yolov8: its metadata is Ultralytics' (task detect)" in text
    model = read(text.encode())
    assert model["output"] == {"layout": "yolov8", "iou": 0.7}
    assert (folder / "labels.txt").read_text() == "red part\nblue part\n"


@pytest.mark.parametrize(
    ("network", "choices"),
    [("yolo-bare", ["yolov8"]), ("rows", ["yolo-end2end", "rtdetr-ultralytics", "ssd-mxnet"])],
)
def test_a_network_that_does_not_say_what_it_is_is_asked_about_and_never_guessed(
    fanfold, networks, tmp_path, network, choices
):
    said = fanfold("model", "new", str(networks / f"{network}.onnx"), "--out", str(tmp_path / "o"))
    assert said.code == 2
    assert "say which with --family" in said.err
    assert "output0 float32 [1, " in said.err
    assert all(choice in said.err for choice in choices)
    assert not (tmp_path / "o").exists()


def test_the_family_that_the_user_declares_is_taken_and_proved(fanfold, networks, tmp_path):
    folder = tmp_path / "rows"
    new = ("model", "new", str(networks / "rows.onnx"), "--out", str(folder))
    assert fanfold(*new, "--family", "yolo-end2end").code == 0
    said = fanfold(*new[:-1], str(tmp_path / "wrong"), "--family", "ssd-mxnet")
    assert said.code == 2
    assert "fails its warm-up" in said.err
    assert "declare output.layout rows" in said.err


def test_an_anomaly_network_answers_with_score_threshold_and_the_marked_area(
    fanfold, networks, photo, tmp_path
):
    folder = tmp_path / "anomaly"
    said = fanfold("model", "new", str(networks / "anomaly.onnx"), "--out", str(folder),
                   "--images", str(photo))  # fmt: skip
    assert said.code == 0, said.err
    told = fanfold("model", "try", str(folder), str(photo), "--json", "--out", str(tmp_path / "d"))
    output = json.loads(told.out)["output"]
    assert output["anomalous"] is (output["score"] >= output["threshold"])
    assert 0 < output["share"] < 1
    assert output["mask"]["size"] == [32, 32]


@pytest.mark.parametrize(
    ("network", "changed", "sentence"),
    [
        ("ir13", {}, "IR version 13"),
        ("opset23", {}, "opset 23"),
        ("classes", {"tresholt": 0.9}, "tresholt is not known here; did you mean 'threshold'?"),
        ("classes", {"input": {"name": "x", "shape": [1, 3, 32, 32], "color": "bgr"}},
         "input.color is not known here; did you mean 'colour'?"),
        ("classes", {"task": "pose"}, "that is not done here"),
        ("classes", {"model": "other.onnx"}, "other.onnx is missing"),
        ("two-inputs", {}, "second input 'scale'"),
        ("yolo-bare", {"input": {"name": "images", "shape": [1, 3, 64, 64]}},
         "classification needs one value per class"),
    ],
)  # fmt: skip
def test_pack_refuses_in_one_sentence_what_could_not_serve(
    fanfold, networks, tmp_path, network, changed, sentence
):
    folder = folder_of(tmp_path, networks / f"{network}.onnx", **changed)
    said = fanfold("model", "pack", str(folder), "--out", str(tmp_path / "m.tar.gz"))
    assert said.code == 2
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "m.tar.gz").exists()


@pytest.mark.parametrize(
    ("content", "packs"),
    [("\ufeffkäse\r\nbrot, weiß\r\nx\r\n\r\n", True), ("0,cat\n1,dog\n2,\"a, b\"\n", True),
     ("a\nb\n", False), ("a\nb\nc\nd\n", False)],
)  # fmt: skip
def test_labels_are_as_many_as_outputs_however_an_editor_wrote_them(
    fanfold, networks, tmp_path, content, packs
):
    folder = folder_of(tmp_path, networks / "classes.onnx", labels="labels.txt")
    (folder / "labels.txt").write_bytes(content.encode())
    said = fanfold("model", "pack", str(folder), "--out", str(tmp_path / "m.tar.gz"))
    assert (said.code == 0) is packs, said.err
    assert packs or "labels and outputs have to be as many" in said.err


def test_weights_outside_the_network_are_packed_with_it_and_a_lost_file_is_named(
    fanfold, networks, tmp_path
):
    folder = folder_of(tmp_path, networks / "outside.onnx")
    packed = tmp_path / "m.tar.gz"
    assert fanfold("model", "pack", str(folder), "--out", str(packed)).code == 0
    (folder / "outside.onnx.data").unlink()
    said = fanfold("model", "pack", str(folder), "--out", str(packed))
    assert said.code == 2
    assert "outside.onnx.data', which is missing in the package" in said.err


def test_logits_are_told_from_scores_and_the_package_says_so(fanfold, networks, tmp_path):
    folder = folder_of(tmp_path, networks / "classes.onnx")
    (folder / "model.json").write_bytes(b"\xef\xbb\xbf" + (folder / "model.json").read_bytes())
    packed = tmp_path / "m.tar.gz"
    assert fanfold("model", "pack", str(folder), "--out", str(packed)).code == 0
    from models.package import inspect

    assert inspect(packed).spec.output.softmax is True


def test_a_model_of_one_channel_is_packed(fanfold, networks, tmp_path):
    folder = folder_of(
        tmp_path, networks / "grey.onnx", input={"name": "x", "shape": [1, 1, 32, 32]}
    )
    assert fanfold("model", "pack", str(folder), "--out", str(tmp_path / "m.tar.gz")).code == 0


def test_what_a_worker_reads_is_drawn_and_no_picture_is_written_over(
    fanfold, networks, photo, tmp_path
):
    folder = folder_of(tmp_path, networks / "classes.onnx")
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.open(photo).save(photos / "1.png")
    plain = (photos / "1.png").read_bytes()
    with BytesIO() as jpeg:
        Image.open(photo).save(jpeg, "jpeg")
        # A line break before the picture, as a camera's HTTP leaves it: OpenCV alone reads none.
        (photos / "1.jpg").write_bytes(b"\r\n" + jpeg.getvalue())

    said = fanfold("model", "try", str(folder), str(photos), "--json", "--out", str(photos))

    assert said.code == 0, said.err
    drawn = [json.loads(line)["drawn"] for line in said.out.splitlines()]
    assert [Path(each).name for each in drawn] == ["1-2.png", "1-3.png"]
    assert [Image.open(each).size for each in drawn] == [(128, 128)] * 2
    assert (photos / "1.png").read_bytes() == plain


def test_drawings_that_cannot_be_written_are_no_fault_of_the_network(
    fanfold, networks, photo, tmp_path
):
    folder = folder_of(tmp_path, networks / "classes.onnx")

    said = fanfold("model", "try", str(folder), str(photo), "--out", str(photo))

    assert said.code == 2
    assert "drawings cannot be written there" in said.err
    assert "Traceback" not in said.err


def test_pictures_of_one_name_become_probes_of_their_own(fanfold, networks, photo, tmp_path):
    folder = folder_of(tmp_path, networks / "classes.onnx")
    other = tmp_path / "night" / photo.name
    other.parent.mkdir()
    Image.new("RGB", (128, 128), (5, 5, 200)).save(other)

    for _ in range(2):
        said = fanfold("model", "try", str(folder), str(photo), str(other), "--keep",
                       "--out", str(tmp_path / "d"))  # fmt: skip
        assert said.code == 0, said.err

    probes = read((folder / "model.json").read_bytes())["probes"]
    assert [each["file"] for each in probes] == ["probes/photo.png", "probes/photo-2.png"]
    assert (folder / "probes/photo-2.png").read_bytes() == other.read_bytes()
