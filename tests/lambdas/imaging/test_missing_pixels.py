"""What is mid-grey is no missing pixel, by either decoder; what is missing is counted."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from picture_kit import EOI, HEIGHT, PHOTO, WIDTH, intervals, jpeg, scan_at, without_intervals

from lambdas.imaging import jpeg_decode
from lambdas.imaging.damage import OUT_OF_PLACE
from lambdas.imaging.decode import Decoder
from lambdas.imaging.errors import ImageError
from lambdas.imaging.header import read_header
from lambdas.imaging.jpeg_header import read_frame
from lambdas.imaging.missing import surely_missing

GREY = np.full_like(PHOTO, 128)
RIGHT_HALF = PHOTO.copy()
RIGHT_HALF[:, : WIDTH // 2] = 128
FRAMED = cv2.copyMakeBorder(PHOTO, 80, 80, 80, 80, cv2.BORDER_CONSTANT, value=(128, 128, 128))
PICTURES = {"grey throughout": GREY, "half grey": RIGHT_HALF, "in a grey frame": FRAMED}
DECODERS = ["opencv"] if jpeg_decode.simplejpeg is None else ["turbo", "opencv"]


@pytest.fixture(params=DECODERS)
def read(request, monkeypatch):
    if request.param == "opencv":
        monkeypatch.setattr(jpeg_decode, "simplejpeg", None)

    def decoded(data, max_lost=0.1):
        decoder = Decoder("bgr", max_lost)
        return decoder.decode(data, read_header(data), 0, 0).copy(), decoder.damage

    return decoded


def whole(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("restart", [0, 7])
def test_a_grey_picture_is_whole(read, picture, restart):
    good = jpeg(PICTURES[picture], restart=restart)
    strays = [good, good[:-2], good[:2] + re.sub(rb"\xff\xdb", b"\1\2\xff\xdb", good[2:], count=1)]
    if restart:
        strays.append(good.replace(b"\xff\xd3", b"\1\2\xff\xd3", 1))
    for data in strays:
        found, damage = read(data)
        assert np.abs(found.astype(int) - whole(good)).mean() < 1
        assert damage is None or damage.lost == 0


@pytest.mark.parametrize("end", [b"", EOI])
@pytest.mark.parametrize("restart", [0, 7])
def test_of_a_grey_picture_only_what_never_came_is_missing(read, end, restart):
    good = jpeg(GREY, restart=restart)
    at = scan_at(good)
    for share in (0.5, 0.2, 0.05):
        data = good[: at + int((len(good) - at) * (1 - share))] + end
        _, damage = read(data, max_lost=0.9)
        assert damage.lost == pytest.approx(share, abs=0.04)
        with pytest.raises(ImageError, match="truncated"):
            read(data, max_lost=damage.lost - 0.01)


@pytest.mark.parametrize("lost", [1, 2])
def test_of_lost_restart_intervals_of_a_half_grey_picture_as_much_is_missing(read, lost):
    data = jpeg(RIGHT_HALF, restart=7)
    _, damage = read(without_intervals(data, 6, lost))
    assert damage.lost == pytest.approx(lost / (len(intervals(data)) - 1), abs=0.003)


def test_markers_of_what_stands_behind_a_picture_are_not_its_own(read):
    good = jpeg(restart=28)
    for tail in (good, b"DHAV\xff\xd0\xff\xd5\xff\xd9"):
        found, damage = read(good + tail)
        assert damage is None
        assert np.array_equal(found, whole(good))


def test_a_marker_within_a_scan_ends_it(read):
    good = jpeg()
    middle = (scan_at(good) + len(good)) // 2
    with pytest.raises(ImageError, match="truncated"):
        read(good[:middle] + b"\xff\xc7" + good[middle:])


def test_a_progressive_picture_whose_last_scan_is_cut_is_truncated(read):
    good = jpeg(progressive=True)
    assert read(good[:-2])[0].shape == (HEIGHT, WIDTH, 3)
    for data in (good[:-200], good[:-200] + EOI):
        with pytest.raises(ImageError, match="truncated"):
            read(data)


def test_a_header_that_promises_more_than_its_scan_can_hold_is_told_without_decoding():
    data = jpeg(PHOTO)
    frame = read_frame(data)
    assert surely_missing(data, frame) == 0.0
    huge = frame._replace(height_px=4000, width_px=4000)
    assert surely_missing(data, huge) > 0.5
    assert surely_missing(data, huge._replace(marker=0xC9)) == 0.0


@pytest.mark.parametrize("restart", [0, 7])
def test_where_bytes_may_be_lost_in_the_middle_the_record_says_that_places_may_be_wrong(restart):
    good = jpeg(restart=restart)
    middle, size = (scan_at(good) + len(good)) // 2, 40 if restart else 700
    cut = good[: -(len(good) - scan_at(good)) // 20]
    told = {name: damage_of(data) for name, data in [
        ("lost within", good[:middle] + good[middle + size :]), ("cut off", cut),
        ("cut off and ended", cut + EOI), ("left over", good[:-2] + bytes(range(40)) + EOI),
        ("without its end", good[:-2]),
    ]}  # fmt: skip
    doubtful = {name for name, damage in told.items() if damage and OUT_OF_PLACE in damage.detail}
    unmarked = {"lost within", "cut off and ended", "left over"}
    assert doubtful == (set() if restart else unmarked)


def damage_of(data):
    decoder = Decoder("bgr")
    decoder.decode(data, read_header(data), 0, 0)
    return decoder.damage
