import os

import cv2
import pytest
from inference_kit import CACHE, lite0, photo

from lambdas.model.package import load_package
from models import wheels
from models.demo_images import vary, write_images
from models.footprint import measure
from models.photos import PHOTOS
from models.wheels import Wheel, WheelError, fetch


def test_cameras_take_turns_and_every_picture_is_a_different_file(tmp_path):
    written = write_images(tmp_path, ["cam1", "cam2"], 60, CACHE)
    assert len({path.read_bytes() for path in written}) == 60
    assert [path.parent.name for path in written[:4]] == ["cam1", "cam2", "cam1", "cam2"]
    assert all(cv2.imread(str(path)) is not None for path in written)


def test_the_same_call_writes_the_same_bytes(tmp_path):
    first, second = (write_images(tmp_path / n, ["cam1"], 14, CACHE) for n in ("a", "b"))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_every_photograph_is_credited_beside_the_pictures(tmp_path):
    write_images(tmp_path, ["cam1"], 1, CACHE)
    text = (tmp_path / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    assert all(p.name in text and p.credit in text and p.licence in text for p in PHOTOS)


def test_variant_0_is_the_photograph_itself():
    assert (vary(photo("coffee"), 0) == photo("coffee")).all()


def test_both_versions_share_their_weights_and_differ_in_what_they_see():
    first, second = (load_package(str(lite0(v))).spec for v in ("1.0.0", "1.1.0"))
    assert first.files == second.files
    assert first.input.shape != second.input.shape
    assert first.identity != second.identity


def test_the_footprint_has_memory_and_both_stages(tmp_path):
    picture = tmp_path / "p.png"
    cv2.imwrite(str(picture), photo("coffee"))
    footprint = measure(lite0(), picture, repeats=5)
    assert footprint["memory_kb"] > 50_000
    alone, beside = footprint["ms"]["inference"], footprint["ms"].get("inference_beside")
    assert set(footprint["ms"]) - {"inference_beside"} == {"transform", "inference"}
    assert (beside is None) == (len(os.sched_getaffinity(0)) == 1)
    assert beside is None or beside >= alone


def test_a_wheel_that_is_not_the_pinned_one_is_refused(tmp_path):
    wheel = Wheel("demo", "1.0", "demo-1.0-py3-none-any.whl", "0" * 64)
    (tmp_path / wheel.filename).write_bytes(b"something else")
    with pytest.raises(WheelError, match=r"pinned is 0{64}: delete it"):
        fetch(wheel, tmp_path)


def test_a_wheel_that_pip_cannot_get_is_named_with_the_way_around(tmp_path, monkeypatch):
    wheel = Wheel("demo", "1.0", "demo-1.0-py3-none-any.whl", "0" * 64)
    monkeypatch.setattr(wheels.sys, "executable", "/bin/false")
    with pytest.raises(WheelError, match=r"cannot download demo==1\.0: .*put demo-1\.0"):
        fetch(wheel, tmp_path)
