import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest
from inference_kit import jpeg, lite0, photo

from lambdas.imaging import jpeg_decode
from lambdas.imaging.header import ImageError
from lambdas.imaging.transform import FAST_TOLERANCE, Transform
from lambdas.model.package import load_package
from lambdas.model.runtimes.select import load_runtime
from lambdas.model.spec import Input
from lambdas.model.tasks.postprocess import describe

CONFIDENT = 0.2
PHOTOS = ("chelsea", "coffee", "rocket", "camera", "flower", "china", "brick", "hubble")


def stretch(side_px=64, layout="NCHW", colour="rgb", interpolation="bilinear"):
    shape = (1, 3, side_px, side_px) if layout == "NCHW" else (1, side_px, side_px, 3)
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return Input("data", shape, layout, colour, zero, one, "stretch", 0, interpolation)


def tensor(spec, data, mode="exact", hook=None):
    transform = Transform(spec, mode, hook)
    out = np.full(transform.shape, np.nan, np.float32)
    transform(data, out)
    return out


def camera_sized(name):
    """A photograph at a camera's size, where skipping frequencies pays."""
    return jpeg(cv2.resize(photo(name), (1920, 1080), interpolation=cv2.INTER_CUBIC))


def test_exact_mode_is_bit_for_bit_what_opencv_gives():
    data = camera_sized("coffee")
    wanted = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2RGB)
    wanted = cv2.resize(wanted, (64, 64)).transpose(2, 0, 1)
    np.testing.assert_array_equal(tensor(stretch(), data), wanted)


def test_without_simplejpeg_the_result_is_the_same(monkeypatch):
    data = camera_sized("coffee")
    first = tensor(stretch(), data)
    monkeypatch.setattr(jpeg_decode, "simplejpeg", None)
    np.testing.assert_array_equal(tensor(stretch(), data), first)


@pytest.mark.parametrize("name", PHOTOS)
def test_fast_stays_within_its_tolerance_of_exact(name):
    data = camera_sized(name)
    difference = np.abs(tensor(stretch(224), data, "fast") - tensor(stretch(224), data, "exact"))
    assert 0 < difference.mean() <= FAST_TOLERANCE


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_fast_and_exact_agree_on_the_best_class_of_confident_photographs(version):
    package = load_package(str(lite0(version)))
    runtime = load_runtime(package, -1)
    compared = 0
    for name in PHOTOS:
        best = {}
        for mode in ("exact", "fast"):
            batch = tensor(package.spec.input, camera_sized(name), mode)[np.newaxis]
            outputs = [o[0] for o in runtime.infer(batch)]
            best[mode] = describe(outputs, package.labels, package.spec)["top"][0]
        if best["exact"]["score"] >= CONFIDENT:
            compared += 1
            assert best["fast"]["label"] == best["exact"]["label"], name
    assert compared >= 4


def test_colour_order_and_layout_are_the_models():
    data = cv2.imencode(".png", np.full((8, 8, 3), (10, 20, 30), np.uint8))[1].tobytes()
    assert tensor(stretch(8, colour="bgr"), data)[:, 0, 0].tolist() == [10, 20, 30]
    assert tensor(stretch(8, layout="NHWC"), data)[0, 0].tolist() == [30, 20, 10]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_pixels_are_shifted_by_the_mean_and_then_scaled(layout):
    shifted = replace(stretch(8, layout), mean=(1.0, 2.0, 3.0), scale=(0.5, 0.25, 2.0))
    data = cv2.imencode(".png", np.full((8, 8, 3), 11, np.uint8))[1].tobytes()
    out = tensor(shifted, data)
    pixel = out[:, 0, 0] if layout == "NCHW" else out[0, 0]
    assert pixel.tolist() == [5.0, 2.25, 16.0]


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_taken_sideways_is_seen_upright(mode, orientation):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = (200, 100, 50)
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0MM" + struct.pack(">HI", 42, 8) + struct.pack(">H", 1) + entry
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    plain = jpeg(image)
    data = plain[:2] + segment + plain[2:]
    upright = cv2.resize(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), (16, 16))
    found = tensor(stretch(16, colour="bgr"), data, mode).transpose(1, 2, 0)
    assert np.abs(found - upright).mean() < FAST_TOLERANCE


def test_a_grey_picture_has_three_equal_channels():
    data = jpeg(cv2.cvtColor(photo("camera"), cv2.COLOR_BGR2GRAY))
    out = tensor(stretch(), data)
    assert (out[0] == out[1]).all()
    assert (out[1] == out[2]).all()


def test_pictures_of_different_sizes_do_not_disturb_one_another():
    transform = Transform(stretch())
    out = np.zeros(transform.shape, np.float32)
    pictures = [jpeg(photo(n)) for n in ("coffee", "chelsea", "hubble", "coffee")]
    seen = []
    for data in pictures:
        transform(data, out)
        seen.append(out.copy())
    np.testing.assert_array_equal(seen[0], seen[3])


@pytest.mark.parametrize("with_simplejpeg", [True, False])
def test_a_jpeg_whose_scan_is_cut_is_truncated(monkeypatch, with_simplejpeg):
    if not with_simplejpeg:
        monkeypatch.setattr(jpeg_decode, "simplejpeg", None)
    data = jpeg(photo("coffee"))
    with pytest.raises(ImageError) as caught:
        tensor(stretch(), data[: len(data) // 2])
    assert caught.value.reason == "truncated"


def test_a_hook_sees_the_whole_picture_and_changes_it():
    seen = []

    def hook(image):
        seen.append(image.shape)
        return np.zeros((10, 10, 3), np.uint8)

    out = tensor(stretch(), camera_sized("coffee"), "fast", hook)
    assert seen == [(1080, 1920, 3)]
    assert not out.any()


def test_a_hook_that_returns_something_else_costs_its_picture_alone():
    with pytest.raises(ImageError, match="must return H×W×3 uint8"):
        tensor(stretch(), camera_sized("coffee"), "fast", lambda image: image.astype(float))


def test_an_unknown_mode_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="'best': use one of fast, exact"):
        Transform(stretch(), "best")
