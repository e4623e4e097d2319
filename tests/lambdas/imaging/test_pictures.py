"""Honest but irregular pictures: every pixel that is there is read, what is not is said."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_zoo import chunk
from picture_kit import (
    EOI,
    FLIR,
    HEIGHT,
    PHOTO,
    WIDTH,
    XMP,
    exif,
    intervals,
    jpeg,
    scan_at,
    tiff_block,
    with_segments,
    without_intervals,
)
from picture_reading import difference, read, refused

from lambdas.imaging import jpeg_decode
from lambdas.imaging.errors import ImageError

WHOLE = read(jpeg())[0]

UPRIGHT_6 = cv2.rotate(PHOTO, cv2.ROTATE_90_CLOCKWISE)


@pytest.mark.parametrize(
    "segments",
    [
        (exif(6),),
        (exif(6), XMP),
        (XMP, exif(6)),
        (FLIR, exif(6), XMP, FLIR),
        (exif(6), exif(1)),
    ],
    ids=["exif", "exif, xmp", "xmp, exif", "flir around", "second exif says otherwise"],
)
def test_a_jpeg_is_turned_by_its_first_exif_whatever_else_follows(segments):
    found, _ = read(with_segments(*segments))
    assert found.shape == (WIDTH, HEIGHT, 3)
    assert difference(found, UPRIGHT_6) < 4


def test_a_png_is_turned_by_its_exif_chunk():
    data = cv2.imencode(".png", PHOTO)[1].tobytes()
    found, _ = read(data[:33] + chunk(b"eXIf", tiff_block(6)) + data[33:])
    assert difference(found, UPRIGHT_6) == 0


def test_a_webp_is_turned_by_its_exif_chunk():
    simple = cv2.imencode(".webp", PHOTO, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    size = (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    block = tiff_block(6)
    parts = (
        b"VP8X" + struct.pack("<II", 10, 8) + size
        + simple[12:]
        + b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    )  # fmt: skip
    found, _ = read(b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts)
    assert difference(found, UPRIGHT_6) == 0


RESTARTS = jpeg(restart=28)
BENIGN = {
    "without its end": jpeg()[:-2],
    "progressive, without its end": jpeg(progressive=True)[:-2],
    "zeros after its end": jpeg() + bytes(5000),
    "a camera's trailer after its end": jpeg() + b"DHAV" + bytes(range(200)),
    "fill bytes before its end": jpeg()[:-2] + b"\xff" * 40 + EOI,
    "stray bytes before a restart": b"\x01\x02\xff\xd3".join(RESTARTS.split(b"\xff\xd3", 1)),
    "line ends in front": b"\r\n\r\n" + jpeg(),
    "JFIF of the future": jpeg().replace(b"JFIF\0\x01\x01", b"JFIF\0\x01\x09"),
    "a second picture behind it": jpeg() + jpeg(PHOTO[:100]),
}


@pytest.mark.parametrize("kind", BENIGN)
def test_a_warning_that_costs_no_pixel_costs_none(kind):
    found, damage = read(BENIGN[kind])
    assert difference(found, WHOLE) < 1
    assert damage is None or damage.lost == 0


def test_without_dht_the_standard_tables_apply():
    data, at, tables = jpeg(), 2, []
    while data[at + 1] != 0xDA:
        length = struct.unpack_from(">H", data, at + 2)[0] + 2
        if data[at + 1] == 0xC4:
            tables.append((at, length))
        at += length
    for start, length in reversed(tables):
        data = data[:start] + data[start + length :]
    assert difference(read(data)[0], WHOLE) == 0


@pytest.mark.parametrize("kept", [0.99, 0.97, 0.93])
@pytest.mark.parametrize("end", [b"", EOI], ids=["cut", "cut, an end put behind"])
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_a_cut_jpeg_is_read_and_the_record_says_what_is_lost(kept, end, grey):
    data = jpeg(PHOTO[..., 1] if grey else PHOTO)
    at = scan_at(data)
    found, damage = read(data[: at + int((len(data) - at) * kept)] + end)
    rows = np.flatnonzero((found == found[-1, -1]).all(axis=(1, 2)))
    assert damage is not None
    assert 0 < damage.lost <= 0.1
    assert abs(damage.lost - len(rows) / HEIGHT) < 0.06
    assert damage.as_record()["detail"]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_which_half_is_missing_is_truncated(progressive):
    data = jpeg(progressive=progressive)
    assert refused(data[: len(data) // 2]).reason == "truncated"


def test_how_much_may_be_missing_can_be_set():
    data = jpeg()
    half = data[: (scan_at(data) + len(data)) // 2]
    assert "limit 10.0%" in refused(half).detail
    _, damage = read(half, max_lost=0.6)
    assert 0.3 < damage.lost < 0.6


@pytest.mark.parametrize("end", [b"", EOI], ids=["allocated", "allocated, an end put behind"])
def test_zeros_where_the_rest_should_be_are_missing_pixels(end):
    data = jpeg()
    half = (scan_at(data) + len(data)) // 2
    assert refused(data[:half] + bytes(len(data) - half) + end).reason == "truncated"


@pytest.mark.parametrize("lost", [1, 2])
def test_up_to_two_lost_restart_intervals_leave_the_rest_in_place(lost):
    found, damage = read(without_intervals(RESTARTS, 6, lost), max_lost=0.2)
    rows = len(intervals(RESTARTS)) - 1
    assert damage.lost == pytest.approx(lost / rows, abs=0.01)
    kept = read(RESTARTS)[0]
    assert difference(found[-100:], kept[-100:]) < 3


@pytest.mark.parametrize("lost", [3, 4, 5, 7])
def test_more_lost_restart_intervals_put_the_rest_out_of_place_and_are_refused(lost):
    error = refused(without_intervals(RESTARTS, 6, lost), max_lost=0.9)
    assert error.reason == "truncated"
    assert "out of place" in error.detail


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.binary(min_size=1, max_size=6), st.floats(0, 1))
def test_a_damaged_jpeg_never_comes_out_ok_and_shifted(cut, noise, place):
    """Whatever is done to restart intervals, what is read stays where it was."""
    data = RESTARTS
    at = scan_at(data) + int((len(data) - scan_at(data) - cut - 2) * place)
    broken = data[:at] + noise + data[at + cut :]
    try:
        found, damage = read(broken)
    except ImageError:
        return
    good = read(data)[0]
    rows = [difference(found[top : top + 16], good[top : top + 16]) for top in range(0, HEIGHT, 16)]
    assert sum(row > 12 for row in rows) <= 4, damage


REFUSED = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400),
    "AVIF": b"\0\0\0\x20ftypmif1\0\0\0\0mif1avif" + bytes(400),
    "MP4": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2" + bytes(400),
    "HTML": b"<!DOCTYPE html>\n<html><body>401 Unauthorized</body></html>",
    "multipart": b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n" + jpeg(),
    "GIF": b"GIF89a" + bytes(400),
    "JPEG XL": b"\xff\x0a" + bytes(400),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(400),
    "JSON": b'{"error": "not authorised"}',
    "empty": b"",
    "zero bytes": bytes(5000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_by_its_name_with_a_remedy(name):
    error = refused(REFUSED[name])
    brand = {"AVIF": "HEIC"}.get(name, name)  # a HEIF container of either codec
    assert name in error.detail or brand in error.detail
    assert error.reason in {"unsupported", "not_an_image"}


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_a_tiff_of_the_usual_compressions_is_read(compression):
    data = cv2.imencode(".tiff", PHOTO, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()
    assert difference(read(data)[0], PHOTO) == 0


@pytest.mark.parametrize(
    ("tag", "value", "named"),
    [(259, 50_000, "Zstandard"), (259, 34_925, "LZMA"), (262, 5, "CMYK"), (258, 32, "32 bits")],
)
def test_a_tiff_that_no_decoder_here_reads_is_refused_by_what_it_is(tag, value, named):
    data = bytearray(cv2.imencode(".tiff", PHOTO[..., 0].copy())[1].tobytes())
    (at,) = struct.unpack_from("<I", data, 4)
    for index in range(struct.unpack_from("<H", data, at)[0]):
        entry = at + 2 + 12 * index
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<HI", data, entry + 2, 3, 1)
            struct.pack_into("<I", data, entry + 8, value)
    error = refused(bytes(data))
    assert error.reason == "unsupported"
    assert named in error.detail


def relatives():
    """Every form above that a JPEG decoder can be asked about."""
    yield from BENIGN.values()
    yield jpeg(progressive=True)
    yield jpeg(PHOTO[..., 1])
    yield RESTARTS
    yield with_segments(exif(6), XMP)
    yield jpeg()[:-400]
    yield without_intervals(RESTARTS, 6, 1)
    yield jpeg(PHOTO[:1, :1])
    yield jpeg(PHOTO[:, :1])


@pytest.mark.skipif(jpeg_decode.simplejpeg is None, reason="simplejpeg has no wheel here")
@pytest.mark.parametrize("data", list(relatives()))
def test_both_decoders_give_the_same_pixels(data, monkeypatch):
    by_turbo, damage = read(data)
    monkeypatch.setattr(jpeg_decode, "simplejpeg", None)
    by_opencv, measured = read(data)
    assert difference(by_turbo, by_opencv) <= 0.1
    if damage is not None and damage.lost:
        assert measured.lost == pytest.approx(damage.lost, abs=0.01)


def test_a_damaged_animation_is_read_as_its_first_frame():
    """OpenCV 5.0 ends the process on this one, if it is told of the animation."""
    from image_zoo import animated_png

    found, _ = read(animated_png().replace(b"fcTL", b"scTL", 1))
    assert found.shape == (48, 64, 3)
