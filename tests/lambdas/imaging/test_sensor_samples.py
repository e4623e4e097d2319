"""Samples as sensors give them: deep, mosaicked, packed, raw, by what the site declares."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from image_zoo import chunk
from picture_kit import (
    HEIGHT,
    PHOTO,
    WIDTH,
)
from picture_reading import difference, read, refused

from lambdas.imaging.rules import Rules, Sensor, rules_of


def test_twelve_bits_in_sixteen_are_bright_where_they_are_declared():
    grey = cv2.cvtColor(PHOTO, cv2.COLOR_BGR2GRAY)
    low = cv2.imencode(".png", grey.astype(np.uint16) << 4)[1].tobytes()
    found, _ = read(low, Sensor(bits=12))
    assert difference(found[..., 0], grey) == 0


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_significant_bits_may_be_the_low_or_the_high_ones(bits, suffix):
    grey = cv2.cvtColor(PHOTO, cv2.COLOR_BGR2GRAY).astype(np.uint16)
    for shift in (bits - 8, 8):
        data = cv2.imencode(suffix, grey << shift)[1].tobytes()
        found, _ = read(data, Sensor(bits=bits))
        assert difference(found[..., 2], grey) == 0


def test_a_png_declares_its_own_significant_bits():
    grey = cv2.cvtColor(PHOTO, cv2.COLOR_BGR2GRAY).astype(np.uint16)
    data = cv2.imencode(".png", grey << 4)[1].tobytes()
    found, _ = read(data[:33] + chunk(b"sBIT", b"\x0c") + data[33:])
    assert difference(found[..., 0], grey) == 0


def test_samples_above_the_declared_bits_are_refused_with_the_setting_to_correct():
    data = cv2.imencode(".png", np.full((8, 8), 0x1235, np.uint16))[1].tobytes()
    error = refused(data, sensor=Sensor(bits=12))
    assert "`bits`" in error.detail


def mosaic(pattern: str) -> np.ndarray:
    channel = {"B": 0, "G": 1, "R": 2}
    out = np.empty(PHOTO.shape[:2], np.uint8)
    for index, letter in enumerate(pattern):
        row, column = divmod(index, 2)
        out[row::2, column::2] = PHOTO[row::2, column::2, channel[letter]]
    return out


@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_a_colour_filter_is_undone_by_its_declared_pattern(pattern):
    sensor = Sensor(bayer=pattern, width_px=WIDTH, height_px=HEIGHT)
    for data in (mosaic(pattern).tobytes(), cv2.imencode(".png", mosaic(pattern))[1].tobytes()):
        found, _ = read(data, sensor)
        assert difference(found[8:-8, 8:-8], PHOTO[8:-8, 8:-8]) < 6


def test_a_raw_frame_of_twelve_bits_is_read_by_its_declared_size():
    sensor = Sensor(bits=12, bayer="RGGB", width_px=WIDTH, height_px=HEIGHT)
    data = (mosaic("RGGB").astype("<u2") << 4).tobytes()
    found, _ = read(data, sensor)
    assert difference(found[8:-8, 8:-8], PHOTO[8:-8, 8:-8]) < 6


def packed(samples, bits, packing):
    """By hand, bit by bit, as PFNC 2.1 and GigE Vision 2.0 draw it."""
    if packing == "p":
        text = "".join(format(sample, f"0{bits}b")[::-1] for sample in samples)
        text += "0" * (-len(text) % 8)
        return bytes(int(text[at : at + 8][::-1], 2) for at in range(0, len(text), 8))
    out = bytearray()
    for first, second in zip(samples[::2], [*samples[1::2], 0]):
        low = 1 << bits - 8
        out += bytes([first // low, first % low + second % low * 16, second // low])
    return bytes(out[: -(-len(samples) * 3 // 2)])


@pytest.mark.parametrize("packing", ["p", "Packed"])
@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("size", [(6, 4), (5, 3), (7, 1)])
def test_packed_raw_samples_are_as_bright_as_they_are(packing, bits, size):
    width, height = size
    samples = np.random.RandomState(7).randint(0, 1 << bits, width * height).tolist()
    sensor = Sensor(bits=bits, width_px=width, height_px=height, packing=packing)
    found, _ = read(packed(samples, bits, packing), sensor)
    assert found[..., 0].reshape(-1).tolist() == [sample >> (bits - 8) for sample in samples]


def test_a_raw_frame_of_another_size_is_not_taken_for_one():
    sensor = Sensor(bayer="RGGB", width_px=WIDTH, height_px=HEIGHT)
    assert refused(b"\x80" * (WIDTH * HEIGHT - 1), sensor=sensor).reason == "not_an_image"


def test_rules_are_read_from_their_json_and_name_what_is_wrong():
    rules = rules_of('{"max_lost": 0.3, "cameras": {"cam1": {"bits": 12, "bayer": "RGGB"}}}')
    assert rules == Rules(max_lost=0.3, sensors={"cam1": Sensor(bits=12, bayer="RGGB")})
    for text, named in (
        ('{"max_lots": 1}', "max_lost"),
        ('{"cameras": {"cam1": {"bits": 11}}}', "cameras.cam1.bits"),
        ('{"max_lost": 2}', "max_lost"),
        ('{"cameras": {"cam1": {"bits": 14, "packing": "p"}}}', "cameras.cam1.bits"),
    ):
        with pytest.raises(ValueError, match=named):
            rules_of(text)
