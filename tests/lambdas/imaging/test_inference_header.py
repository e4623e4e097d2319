import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.imaging.header import MAX_BYTES, ImageError, read_header

PICTURE = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)


def encoded(kind):
    return cv2.imencode("." + kind, PICTURE)[1].tobytes()


def reason(data):
    with pytest.raises(ImageError) as caught:
        read_header(data)
    return caught.value.reason


def exif(orientation, order=b"MM"):
    sign = ">" if order == b"MM" else "<"
    entry = struct.pack(sign + "HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = order + struct.pack(sign + "HI", 42, 8) + struct.pack(sign + "H", 1) + entry
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def with_exif(segment):
    data = encoded("jpg")
    return data[:2] + segment + data[2:]


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "webp"])
def test_size_is_read_without_decoding(kind):
    header = read_header(encoded(kind))
    assert (header.width_px, header.height_px) == (30, 20)


@pytest.mark.parametrize("kind", ["png", "bmp", "webp"])
def test_an_image_without_its_last_tenth_is_truncated(kind):
    data = encoded(kind)
    assert reason(data[: len(data) * 9 // 10]) == "truncated"


def test_a_jpeg_whose_header_is_cut_is_truncated():
    assert reason(encoded("jpg")[:200]) == "truncated"


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", b"\x7fELF", b"<html>401"])
def test_what_is_no_image_is_said_to_be_none(data):
    assert reason(data) == "not_an_image"


def test_a_header_that_claims_gigapixels_is_refused_before_anything_is_allocated():
    png = bytearray(encoded("png"))
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    assert reason(bytes(png)) == "too_large"


def test_a_file_above_the_limit_is_too_large():
    assert reason(b"\xff\xd8" + bytes(MAX_BYTES)) == "too_large"


def test_a_jpeg_with_four_channels_is_refused():
    data = bytearray(encoded("jpg"))
    at = data.index(b"\xff\xc0")
    data[at + 9] = 4
    assert reason(bytes(data)) == "unsupported"


@pytest.mark.parametrize("order", [b"MM", b"II"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_is_read_in_both_byte_orders(order, orientation):
    assert read_header(with_exif(exif(orientation, order))).orientation == orientation


@pytest.mark.parametrize(
    "segment", [exif(0), exif(9), b"\xff\xe1\x00\x0aExif\0\0MM", b"\xff\xe1\x00\x04\x00\x00"]
)
def test_odd_exif_data_counts_as_upright(segment):
    assert read_header(with_exif(segment)).orientation == 1


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8", b"BM", b"RIFF", b"\x89PNG\r\n\x1a\n"]),
)
def test_any_bytes_give_a_header_or_an_image_error(tail, head):
    try:
        read = read_header(head + tail)
    except ImageError as error:
        read = error
    assert getattr(read, "complete", True)
    assert getattr(read, "reason", "truncated") in {
        "not_an_image",
        "unsupported",
        "truncated",
        "too_large",
    }
