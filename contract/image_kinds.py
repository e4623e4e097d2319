"""Encodings of images, told apart by their first bytes: the one table of them.

A kind knows the names that cameras give its files (`suffixes`), what a browser calls it
(`media_type`) and what errors call it (`label`). Whether its content is whole is for
`lambdas.imaging.header` to find.
"""

from __future__ import annotations

from typing import NamedTuple

#: So many first bytes are enough for `kind_of`.
HEAD_BYTES = 16


class ImageKind(NamedTuple):
    """`magic` or one of `others` at the start; `form` (RIFF's) at byte 8, where there is one.

    `media_type`: "" where browsers do not show it.
    """

    name: str
    label: str
    suffixes: tuple[str, ...]
    media_type: str
    magic: bytes
    form: bytes = b""
    others: tuple[bytes, ...] = ()

    @property
    def suffix(self) -> str:
        return self.suffixes[0]

    def fits(self, head: bytes) -> bool:
        starts = head.startswith((self.magic, *self.others))
        return starts and head[8 : 8 + len(self.form)] == self.form


JPEG = ImageKind("jpeg", "JPEG", (".jpg", ".jpeg"), "image/jpeg", b"\xff\xd8\xff")
PNG = ImageKind("png", "PNG", (".png",), "image/png", b"\x89PNG\r\n\x1a\n")
WEBP = ImageKind("webp", "WebP", (".webp",), "image/webp", b"RIFF", b"WEBP")
BMP = ImageKind("bmp", "BMP", (".bmp",), "image/bmp", b"BM")
TIFF = ImageKind(
    "tiff", "TIFF", (".tif", ".tiff"), "", b"II*\0", others=(b"MM\0*", b"II+\0", b"MM\0+")
)
_PNM_HEADS = tuple(f"P{form}{space}".encode() for form in "123456" for space in "\n \t\r#")
PNM = ImageKind(
    "pnm", "PGM or PPM", (".pnm", ".pgm", ".ppm", ".pbm"), "", b"P6\n", others=_PNM_HEADS
)

KINDS = (JPEG, PNG, WEBP, BMP, TIFF, PNM)
#: Of files that are images, lower case.
SUFFIXES = frozenset(suffix for kind in KINDS for suffix in kind.suffixes)
#: For errors: `JPEG, PNG, … or PPM`.
LABELS = ", ".join(kind.label for kind in KINDS)


def kind_of(head: bytes) -> ImageKind | None:
    """The kind of an encoded image by its first `HEAD_BYTES`; None: not one that is taken."""
    return next((kind for kind in KINDS if kind.fits(head)), None)
