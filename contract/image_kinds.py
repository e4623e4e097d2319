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
    """`magic` at the start; `form` (RIFF's) at byte 8, empty where there is none."""

    name: str
    label: str
    suffixes: tuple[str, ...]
    media_type: str
    magic: bytes
    form: bytes = b""

    @property
    def suffix(self) -> str:
        return self.suffixes[0]

    def fits(self, head: bytes) -> bool:
        return head.startswith(self.magic) and head[8 : 8 + len(self.form)] == self.form


JPEG = ImageKind("jpeg", "JPEG", (".jpg", ".jpeg"), "image/jpeg", b"\xff\xd8\xff")
PNG = ImageKind("png", "PNG", (".png",), "image/png", b"\x89PNG\r\n\x1a\n")
WEBP = ImageKind("webp", "WebP", (".webp",), "image/webp", b"RIFF", b"WEBP")
BMP = ImageKind("bmp", "BMP", (".bmp",), "image/bmp", b"BM")

KINDS = (JPEG, PNG, WEBP, BMP)
#: Of files that are images, lower case.
SUFFIXES = frozenset(suffix for kind in KINDS for suffix in kind.suffixes)
#: For errors: `JPEG, PNG, WebP or BMP`.
LABELS = ", ".join(kind.label for kind in KINDS[:-1]) + f" or {KINDS[-1].label}"


def kind_of(head: bytes) -> ImageKind | None:
    """The kind of an encoded image by its first `HEAD_BYTES`; None: not one that is taken."""
    return next((kind for kind in KINDS if kind.fits(head)), None)
