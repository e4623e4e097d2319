"""Pictures that a decoder reads wrongly without a word: here they are right, or refused by name."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from picture_kit import HEIGHT, PHOTO, WIDTH, jpeg, scan_at
from test_pictures_of_other_tools import GREY, STORED, read, refused, tiff

from lambdas.imaging import jpeg_decode
from lambdas.imaging.decode import Decoder
from lambdas.imaging.header import read_header

RGB = np.ascontiguousarray(PHOTO[:, :, ::-1])
TILE_PX = 64


def tiled(image: np.ndarray, **more: int) -> bytes:
    """Big-endian grey in tiles of 64 × 64, no compression."""
    height, width = image.shape
    rows, columns = -(-height // TILE_PX), -(-width // TILE_PX)
    padded = np.pad(image, ((0, rows * TILE_PX - height), (0, columns * TILE_PX - width)))
    tiles = padded.reshape(rows, TILE_PX, columns, TILE_PX).swapaxes(1, 2).tobytes()
    count, size = rows * columns, TILE_PX * TILE_PX
    lists = 8 + len(tiles)
    starts = struct.pack(f">{count}I", *(8 + size * number for number in range(count)))
    sizes = struct.pack(f">{count}I", *[size] * count)
    tags = {256: (1, width), 257: (1, height), 258: (1, 8), 259: (1, 1), 262: (1, 1), 277: (1, 1)}
    tags.update({322: (1, TILE_PX), 323: (1, TILE_PX)})
    tags.update({324: (count, lists), 325: (count, lists + len(starts))})
    tags.update({int(tag[1:]): (1, value) for tag, value in more.items()})
    entries = b"".join(struct.pack(">HHII", tag, 4, *tags[tag]) for tag in sorted(tags))
    where = struct.pack(">I", lists + len(starts) + len(sizes))
    directory = struct.pack(">H", len(tags)) + entries + bytes(4)
    return b"MM\0*" + where + tiles + starts + sizes + directory


@pytest.mark.parametrize("orientation", STORED)
def test_a_tiff_in_tiles_is_upright(orientation):
    stored = np.ascontiguousarray(STORED[orientation](GREY))

    assert np.array_equal(read(tiled(stored, t274=orientation))[..., 0], GREY)


def samples_tiff(image: np.ndarray, **more: int) -> bytes:
    """Colours pixel by pixel in one strip; BitsPerSample stands for all of them."""
    return tiff(image, t277=image.shape[-1], t262=2, **more)


def with_alpha(kind: int, alpha: int = 99) -> bytes:
    image = np.dstack([RGB, np.full(RGB.shape[:2], alpha, np.uint8)])
    return samples_tiff(image, t338=kind)


@pytest.mark.parametrize("kind", [0, 2], ids=["of no meaning", "unassociated"])
def test_the_alpha_of_a_tiff_is_dropped_and_darkens_nothing(kind):
    assert np.array_equal(read(with_alpha(kind)), PHOTO)


def test_a_tiff_of_sixteen_bits_with_its_colours_apart_is_refused():
    planes = np.ascontiguousarray(RGB.transpose(2, 0, 1)).astype(np.uint16) << 8
    data = tiff(planes.reshape(-1, WIDTH), t257=HEIGHT, t278=HEIGHT, t277=3, t262=2, t284=2)

    assert "lie apart" in refused(data).detail


def bmp32(fields: tuple[int, int, int], head_bytes: int, rows: bytes) -> bytes:
    masks = struct.pack("<III", *fields)
    head = struct.pack("<IiiHHIIiiII", head_bytes, WIDTH, -HEIGHT, 1, 32, 3, 0, 0, 0, 0, 0)
    rest = masks + bytes(max(head_bytes - 52, 0))
    at = 14 + len(head) + len(rest)
    return struct.pack("<2sIHHI", b"BM", at + len(rows), 0, 0, at) + head + rest + rows


BLUE_FIRST, RED_FIRST = (0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000)


@pytest.mark.parametrize("head_bytes", [40, 52, 56, 108, 124])
@pytest.mark.parametrize("fields", [BLUE_FIRST, RED_FIRST], ids=["blue first", "red first"])
def test_a_bitmap_is_never_read_with_red_for_blue(fields, head_bytes):
    pixels = PHOTO if fields == BLUE_FIRST else RGB
    data = bmp32(fields, head_bytes, np.dstack([pixels, GREY * 0 + 255]).tobytes())
    if fields == RED_FIRST and head_bytes < 56:
        assert "0xff, 0xff00, 0xff0000" in refused(data).detail
    else:
        assert np.array_equal(read(data), PHOTO)


def test_a_bitmap_is_whole_when_its_rows_are_whatever_its_header_says_of_its_length():
    data = cv2.imencode(".bmp", PHOTO)[1].tobytes()
    for said in (0, 14, len(data) + 4):
        assert np.array_equal(read(data[:2] + struct.pack("<I", said) + data[6:]), PHOTO)
    assert refused(data[:2] + bytes(4) + data[6 : len(data) // 2]).reason == "truncated"


@pytest.mark.parametrize(
    ("bits", "compression", "named"), [(0, 4, "JPEG"), (0, 5, "PNG"), (2, 0, "2 bits")]
)
def test_a_bitmap_that_is_not_read_is_refused_by_what_it_is(bits, compression, named):
    head = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, bits, compression, 0, 0, 0, 0, 0)
    error = refused(struct.pack("<2sIHHI", b"BM", 99, 0, 0, 54) + head + bytes(500))

    assert error.reason == "unsupported"
    assert named in error.detail


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" ", b"\t"])
def test_the_head_of_a_pixmap_may_end_as_windows_writes_lines(end):
    data = f"P6\r\n# of a camera\r\n{WIDTH} {HEIGHT}\r\n255".encode() + end + RGB.tobytes()

    assert np.array_equal(read(data), PHOTO)


@pytest.mark.parametrize("largest", [100, 300, 1000, 40_000])
def test_a_greymap_whose_largest_value_is_no_number_of_bits_is_not_read_too_dark(largest):
    data = f"P5 2 2 {largest}\n".encode() + bytes(8)

    assert f"largest value {largest}" in refused(data).detail


@pytest.mark.parametrize(("kind", "letter"), [(1, "B3x"), (3, "H2x"), (4, "I")])
@pytest.mark.parametrize("order", "<>")
def test_an_orientation_is_read_as_a_byte_a_short_or_a_long(kind, letter, order):
    entry = struct.pack(f"{order}HHI{letter}", 0x0112, kind, 1, 6)
    block = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HIH", 42, 8, 1) + entry
    body = b"Exif\0\0" + block + bytes(4)
    data = jpeg()
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]

    assert read_header(data).orientation == 6


def decoded(data: bytes):
    decoder = Decoder("bgr")
    return decoder.decode(data, read_header(data), 0, 0).copy(), decoder.damage


BOTH = pytest.mark.parametrize("turbo", [True, False], ids=["simplejpeg", "OpenCV"])


@pytest.fixture
def decoder(turbo, monkeypatch):
    if not turbo:
        monkeypatch.setattr(jpeg_decode, "simplejpeg", None)
    elif jpeg_decode.simplejpeg is None:
        pytest.skip("simplejpeg has no wheel here")


@BOTH
@pytest.mark.usefixtures("decoder")
def test_where_the_next_picture_begins_the_one_before_it_ends():
    """A camera's connection breaks, and its next picture is appended."""
    data = jpeg()
    at = scan_at(data)

    def broken(kept: float) -> bytes:
        return data[: at + int((len(data) - at) * kept)] + jpeg(PHOTO[::-1].copy())

    assert refused(broken(0.5)).reason == "truncated"
    found, damage = decoded(broken(0.97))
    assert 0 < damage.lost < 0.1
    assert np.abs(found[: HEIGHT // 2].astype(int) - decoded(data)[0][: HEIGHT // 2]).mean() < 0.1


@BOTH
@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize(
    ("hole", "named"),
    [(bytes(900), "zeros"), (b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" * 9, "text")],
    ids=["zeros", "the head of a part"],
)
def test_what_no_encoder_writes_within_a_scan_is_never_read_as_pixels(hole, named):
    data = jpeg()
    middle = (scan_at(data) + len(data)) // 2
    error = refused(data[:middle] + hole + data[middle + len(hole) :])

    assert error.reason == "truncated"
    assert named in error.detail or "is missing" in error.detail


@pytest.mark.skipif(jpeg_decode.simplejpeg is None, reason="simplejpeg has no wheel here")
def test_a_flat_picture_whose_scan_is_nearly_all_zeros_is_whole():
    flat = np.full((600, 800), 128, np.uint8)
    options = [cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    data = cv2.imencode(".jpg", flat, options)[1].tobytes()
    assert bytes(256) in data[scan_at(data) :]

    found, damage = decoded(data)

    assert np.array_equal(found[..., 0], flat)
    assert damage is None or damage.lost == 0


@pytest.mark.parametrize(
    ("data", "reason", "named"),
    [
        (b"<svg xmlns='x'/>", "unsupported", "SVG"),
        (b"<!-- made by x -->\n<svg/>", "unsupported", "SVG"),
        (b"<!-- nginx -->\n<html>", "not_an_image", "HTML"),
        (b"<ResponseStatus version='1'>", "not_an_image", "XML"),
        (b"Content-Type: image/jpeg\r\n\r\n" + jpeg(), "not_an_image", "part of a multipart"),
        (b"4000\r\n" + jpeg(), "not_an_image", "chunks of HTTP"),
        (bytes(16) + jpeg(), "not_an_image", "16 bytes stand before a JPEG"),
        (jpeg().decode("latin-1").encode(), "not_an_image", "JPEG written as UTF-8"),
        (jpeg().decode("utf-8", "replace").encode(), "not_an_image", "written as text"),
        (b"\x89PNG\n\x1a\n" + bytes(20), "not_an_image", "line ends were changed"),
        ("Zugriff verweigert: ungültig".encode("latin-1"), "not_an_image", "'Zugriff"),
        ("доступ запрещён".encode(), "not_an_image", "доступ"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBIP\0 \6" + bytes(40), "unsupported", "CgBI"),
        (b"DKIF\0\0\x20\0VP80" + bytes(40), "not_an_image", "IVF video"),
        (b"PK\x05\x06" + bytes(18), "not_an_image", "empty zip"),
        (b"SDPX" + bytes(40), "unsupported", "DPX"),
    ],
)
def test_what_is_no_picture_here_has_its_name(data, reason, named):
    error = refused(data)

    assert error.reason == reason
    assert named in error.detail


def test_bytes_of_chance_are_not_called_text():
    chance = np.random.RandomState(5)
    for _ in range(200):
        assert "text (" not in refused(chance.bytes(64)).detail
