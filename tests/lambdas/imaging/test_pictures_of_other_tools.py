"""Pictures as scanners, microscopes, converters and other tools write them, and what is none."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from picture_kit import PHOTO, jpeg

from lambdas.imaging.decode import Decoder
from lambdas.imaging.errors import ImageError
from lambdas.imaging.header import read_header

GREY = cv2.cvtColor(PHOTO, cv2.COLOR_BGR2GRAY)
HEIGHT, WIDTH = GREY.shape
#: Orientation → the stored picture from the upright one (TIFF 6.0, tag 274).
STORED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.T,
    6: lambda image: image.T[::-1],
    7: lambda image: image.T[::-1, ::-1],
    8: lambda image: image.T[:, ::-1],
}


def tiff(image: np.ndarray, **more: int) -> bytes:
    """One strip, no compression, big-endian, as TIFF 6.0 has it; `more`: tags (`t274=6`)."""
    image = np.ascontiguousarray(image)
    tags = {256: image.shape[1], 257: image.shape[0], 258: 8 * image.itemsize}
    tags.update({259: 1, 262: 1, 273: 8, 277: 1, 278: image.shape[0], 279: image.nbytes})
    tags.update({int(tag[1:]): value for tag, value in more.items()})
    pixels = image.astype(image.dtype.newbyteorder(">")).tobytes()
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    where = struct.pack(">I", 8 + len(pixels))
    return b"MM\0*" + where + pixels + struct.pack(">H", len(tags)) + entries + bytes(4)


def read(data: bytes):
    header = read_header(data)
    found = Decoder("bgr").decode(data, header, 0, 0).copy()
    size = header.height_px, header.width_px
    assert found.shape[:2] == (size[::-1] if header.orientation >= 5 else size)
    return found


def refused(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read(data)
    return caught.value


@pytest.mark.parametrize("orientation", STORED)
def test_a_tiff_is_upright_and_its_size_is_that_of_the_upright_picture(orientation):
    found = read(tiff(STORED[orientation](GREY), t274=orientation))

    assert np.array_equal(found[..., 0], GREY)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_whose_zero_is_white_is_no_negative(kind):
    shift = 8 * (np.dtype(kind).itemsize - 1)
    white_is_zero = ~(GREY.astype(kind) << shift)

    assert np.array_equal(read(tiff(white_is_zero, t262=0))[..., 0], GREY)


def test_a_tiff_that_ends_before_its_pixels_is_truncated():
    assert refused(tiff(GREY, t279=2 * GREY.nbytes)).reason == "truncated"


def test_the_preview_in_a_camera_raw_is_not_taken_for_the_picture():
    error = refused(tiff(GREY[::4, ::4], t254=1))

    assert error.reason == "unsupported"
    assert "preview" in error.detail


def test_a_bitmap_of_os2_is_read():
    head = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
    rows = np.pad(PHOTO[::-1], ((0, 0), (0, -WIDTH % 4), (0, 0))).tobytes()
    data = b"BM" + struct.pack("<IHHI", 26 + len(rows), 0, 0, 26) + head + rows

    assert np.array_equal(read(data), PHOTO)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_plain_pgm_may_end_with_its_last_number(end):
    numbers = " ".join(str(value) for value in GREY.ravel())

    found = read(f"P2\n{WIDTH} {HEIGHT}\n255\n{numbers}".encode() + end)

    assert np.array_equal(found[..., 0], GREY)


@pytest.mark.parametrize(
    ("data", "reason", "named"),
    [
        (bytes(128) + b"DICM" + bytes(40), "unsupported", "DICOM"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(40), "unsupported", "CR2"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(40), "unsupported", "RAF"),
        (b"II\xbc\x01 \0\0\0" + bytes(40), "unsupported", "JPEG XR"),
        (b"\xff\xd8\xff\xe8\0\x04ab\xff\xf7\0\x0b" + bytes(40), "unsupported", "JPEG-LS"),
        (b"qoif" + bytes(40), "unsupported", "QOI"),
        (b"\0\0\0\x01\x67\x42\0\x1f" + bytes(40), "not_an_image", "H.264"),
        ((b"G" + bytes(187)) * 3, "not_an_image", "transport stream"),
        (b"a.jpg".ljust(257, b"\0") + b"ustar\0", "not_an_image", "tar archive"),
        (b"/9j/4AAQSkZJRg" + bytes(9), "not_an_image", "Base64"),
        (b"data:image/jpeg;base64,/9j/", "not_an_image", "data URI"),
        (b"Unauthorized\r\n", "not_an_image", "'Unauthorized'"),
        ("<html>401</html>".encode("utf-16"), "not_an_image", "HTML"),
        (b"\xef\xbb\xbf" + jpeg(PHOTO[:8, :8]), "not_an_image", "UTF-8 mark"),
        (b" \t\r\n\r\n", "not_an_image", "white space"),
        (b"\xff\xd8", "not_an_image", "2 bytes of a JPEG"),
    ],
)
def test_what_is_no_picture_here_has_a_name(data, reason, named):
    error = refused(data)

    assert error.reason == reason
    assert named in error.detail
