"""GigE Vision: pixel formats by hand, and the grabber against Aravis's own virtual camera."""

from __future__ import annotations

import signal

import cv2
import numpy as np
import pytest
from cameras import gige_camera, needs_gige
from grabber_kit import Site

from lambdas.grabber import aravis, gige
from lambdas.grabber.errors import CameraError
from lambdas.grabber.pixel_formats import FORMATS

# The virtual camera's port is the standard's: one at a time.
pytestmark = pytest.mark.xdist_group("gige")
SOURCE = "gige://127.0.0.1"
BGR = (50, 100, 200)
WIDTH, HEIGHT = 8, 6


def raw(form):
    """A picture of one colour (grey: 100) as the camera writes it, sample by sample."""
    if form.colour in ("rgb", "bgr"):
        return bytes(BGR if form.colour == "bgr" else BGR[::-1]) * (WIDTH * HEIGHT)
    letters = form.colour if form.colour != "mono" else "GGGG"
    tile = [BGR["BGR".index(letter)] << form.bits - 8 for letter in letters]
    samples = np.tile(np.reshape(tile, (2, 2)), (HEIGHT // 2, WIDTH // 2)).reshape(-1).tolist()
    if form.packing == "p":  # the first sample lowest
        bits = sum(value << number * form.bits for number, value in enumerate(samples))
        return bits.to_bytes(len(samples) * form.bits // 8, "little")
    if form.packing == "Packed":  # high bytes around both samples' low bits
        low = form.bits - 8
        mask = (1 << low) - 1
        pairs = zip(samples[::2], samples[1::2])
        return b"".join(
            bytes((a >> low, b % (mask + 1) << 4 | a & mask, b >> low)) for a, b in pairs
        )
    return np.array(samples, "<u2" if form.bits > 8 else "u1").tobytes()


@pytest.mark.parametrize("number", FORMATS, ids=[form.name for form in FORMATS.values()])
def test_each_pixel_format_gives_the_colour_that_was_seen(number):
    form = FORMATS[number]
    pixels = gige.pixels_of(aravis.Image(raw(form) + b"\0" * 7, WIDTH, HEIGHT, number, 0.0))

    wanted = (100,) if form.colour == "mono" else BGR
    assert pixels.shape == (HEIGHT, WIDTH, 3)[: 3 if len(wanted) == 3 else 2]
    assert (pixels.reshape(-1, len(wanted)) == wanted).all()


def test_a_pixel_format_that_is_not_read_is_told_with_its_number():
    with pytest.raises(CameraError, match=r"0x02100032 is not read\. Choose Mono8"):
        gige.pixels_of(aravis.Image(b"", 1, 1, 0x02100032, 0.0))


def test_a_device_without_aravis_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(aravis, "LIBRARY", "libaravis-none.so")
    with pytest.raises(CameraError, match=r"is not installed\. Install Aravis"):
        next(gige.frames(SOURCE, 1.0))


@needs_gige
@pytest.mark.parametrize(("form", "shape"), [
    ("MONO_8", (512, 512)), ("MONO_16", (512, 512)), ("BAYER_RG_8", (512, 512, 3)),
    ("RGB_8_PACKED", (512, 512, 3)),
])  # fmt: skip
def test_frames_of_a_camera_arrive_in_order_and_lossless(tmp_path, form, shape):
    with gige_camera(form), Site(tmp_path, [{"name": "cam1", "source": SOURCE}]).running() as s:
        s.has(3)
        frames = s.bus.accepted[:3]

    pictures = [cv2.imdecode(np.frombuffer(f["content"], np.uint8), -1) for f in frames]
    assert {picture.shape for picture in pictures} == {shape}
    assert all(frame["file"].endswith(".png") for frame in frames)
    assert [f["ts"] for f in frames] == sorted({f["ts"] for f in frames})
    assert len({frame["content"] for frame in frames}) == 3


@needs_gige
def test_a_camera_that_freezes_is_opened_again_and_one_that_is_gone_is_told(tmp_path):
    source = {"name": "cam1", "source": SOURCE, "stall_s": 1.0}
    with gige_camera() as camera, Site(tmp_path, [source]).running() as s:
        s.has(1)
        camera.send_signal(signal.SIGSTOP)
        s.away("stalled")
        camera.send_signal(signal.SIGCONT)
        s.has(len(s.bus.accepted) + 2)
        camera.kill()
        s.away("no_gige")
