"""An encoded image is told by its first bytes, in every part by the same table."""

from __future__ import annotations

import pytest

from contract.image_kinds import HEAD_BYTES, KINDS, LABELS, SUFFIXES, kind_of

HEADS = {
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "bmp": b"BM\x36\x00\x00\x00",
    "tiff": b"MM\x00*\x00\x00\x00\x08",
    "pnm": b"P5 640 480 255\n",
}


def test_every_kind_has_a_sample_here():
    assert {kind.name for kind in KINDS} == set(HEADS)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_a_kind_is_known_by_its_first_bytes_alone(name):
    kind = kind_of(HEADS[name][:HEAD_BYTES])

    assert kind is not None
    assert kind.name == name
    assert kind.suffix in SUFFIXES
    assert kind.label in LABELS


@pytest.mark.parametrize("head", [b"", b"\xff", b"GIF89a", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"{}"])
def test_anything_else_is_no_image(head):
    assert kind_of(head) is None
