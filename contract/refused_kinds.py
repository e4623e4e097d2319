"""Formats that are refused by name, with what to do instead; those that are read: image_kinds.

Signatures are public: ITU-T T.81 (JPEG), RFC 2083 (PNG), RFC 9649 (WebP), TIFF 6.0 and
BigTIFF, netpbm's manual pages, ISO/IEC 14496-12 (`ftyp` brands of HEIC, AVIF and MP4),
15444-1 (JPEG 2000), 18181-2 (JPEG XL), 14495-1 (JPEG-LS). Pure, standard library only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from contract.image_kinds import LABELS


class Refused(NamedTuple):
    """`picture` tells a picture that is not read (`unsupported`) from no picture at all."""

    name: str
    remedy: str
    picture: bool = True

    @property
    def reason(self) -> str:
        return "unsupported" if self.picture else "not_an_image"

    @property
    def detail(self) -> str:
        return f"{self.name}: {self.remedy}"


_SEND = f"send {LABELS} instead"
_CAMERA = "let the camera write JPEG instead"
_VIDEO = "send single frames as JPEG"

#: (offset, magic, what it is); the first that fits decides.
_SIGNATURES = (
    (0, b"\xff\xd8\xff\xf7", Refused("JPEG-LS", _SEND)),
    (0, b"GIF87a", Refused("GIF", _SEND)),
    (0, b"GIF89a", Refused("GIF", _SEND)),
    (0, b"\xff\x0a", Refused("JPEG XL", _SEND)),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", Refused("JPEG XL", _SEND)),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", Refused("JPEG 2000", _SEND)),
    (0, b"\xff\x4f\xff\x51", Refused("JPEG 2000", _SEND)),
    (0, b"8BPS", Refused("Photoshop document", _SEND)),
    (0, b"v/1\x01", Refused("OpenEXR", _SEND)),
    (0, b"#?RADIANCE", Refused("Radiance HDR", _SEND)),
    (0, b"\0\0\x01\0", Refused("Windows icon", _SEND)),
    (0, b"\0\0\x01\xba", Refused("MPEG video", _VIDEO, picture=False)),
    (0, b"\x1aE\xdf\xa3", Refused("Matroska video", _VIDEO, picture=False)),
    (0, b"FLV\x01", Refused("Flash video", _VIDEO, picture=False)),
    (0, b"%PDF", Refused("PDF document", _SEND, picture=False)),
    (0, b"\x7fELF", Refused("program", _SEND, picture=False)),
    (0, b"\x1f\x8b", Refused("gzip archive", "unpack it first", picture=False)),
    (0, b"PK\x03\x04", Refused("zip archive", "unpack it first", picture=False)),
    (0, b"HTTP/", Refused("HTTP response", "save its body alone", picture=False)),
)  # fmt: skip
_RIFF = {
    b"AVI ": Refused("AVI video", _VIDEO, picture=False),
}
_BRANDS = {
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    "AVIF": (b"avif", b"avis"),
    "JPEG 2000": (b"jp2 ", b"jpx "),
    "JPEG XL": (b"jxl ",),
    "Canon raw (CR3)": (b"crx ",),
}
_PAM = re.compile(rb"P7\s")
_MULTIPART = re.compile(rb"\s*--[^\r\n]{1,70}\r?\n(?:[^\r\n]*\r?\n)*?content-", re.I)
_PAGE = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|h\d|\?xml|svg|error)", re.I
)
#: How much of a file is looked at to name it.
HEAD_BYTES = 4096


def named(data: bytes) -> Refused | None:
    """What `data` is by its first bytes; None: nothing that has a name here."""
    for offset, magic, form in _SIGNATURES:
        if data[offset : offset + len(magic)] == magic:
            return form
    if data[:4] == b"RIFF":
        return _RIFF.get(bytes(data[8:12]))
    if data[4:8] == b"ftyp":
        return _by_brand(bytes(data[8:12]), bytes(data[16:64]))
    head = bytes(data[:HEAD_BYTES])
    if _PAM.match(head):
        return Refused("PAM", _SEND)
    return _text(head)


def refusal(data: bytes) -> tuple[str, str]:
    """Reason and detail for `data` that is not read here."""
    if not data:
        return "not_an_image", "an empty file: nothing was written"
    form = named(data)
    if form is not None:
        return form.reason, form.detail
    if not any(data[:HEAD_BYTES]):
        return "not_an_image", (
            f"begins with {min(len(data), HEAD_BYTES)} zero bytes: the file was allocated and not"
            " written; rename it into place when it is whole"
        )
    return "not_an_image", f"begins with {bytes(data[:8]).hex()}, a format without a name: {_SEND}"


def _by_brand(major: bytes, compatible: bytes) -> Refused:
    for name, brands in _BRANDS.items():
        if major in brands:
            return Refused(name, _CAMERA)
    also = {compatible[at : at + 4] for at in range(0, len(compatible), 4)}
    for name in ("HEIC", "AVIF"):
        if also & set(_BRANDS[name]):
            return Refused(name, _CAMERA)
    return Refused("MP4 or QuickTime video", _VIDEO, picture=False)


def _text(head: bytes) -> Refused | None:
    if _MULTIPART.match(head):
        return Refused("multipart message", "save the picture of each part alone", picture=False)
    if _PAGE.match(head):
        return Refused(
            "HTML or XML page",
            "the camera answered with a page, an error or a login perhaps",
            picture=False,
        )
    if head.lstrip()[:1] in (b"{", b"["):
        return Refused("JSON text", _SEND, picture=False)
    return None
