"""The one table of formats: read, or refused by name with what to do instead.

Signatures are public: ITU-T T.81 (JPEG), RFC 2083 (PNG), RFC 9649 (WebP), TIFF 6.0 and
BigTIFF, netpbm's manual pages, ISO/IEC 14496-12 (`ftyp` brands of HEIC, AVIF and MP4),
15444-1 (JPEG 2000), 18181-2 (JPEG XL), 14495-1 (JPEG-LS). Pure, standard library only.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Format(NamedTuple):
    """`suffix`: of a file made of it, "" where it is refused; `remedy`: what to do then.

    `picture` tells a picture that is not read here (`unsupported`) from what is no picture
    at all (`not_an_image`).
    """

    name: str
    suffix: str = ""
    remedy: str = ""
    picture: bool = True

    @property
    def is_read(self) -> bool:
        return bool(self.suffix)

    @property
    def reason(self) -> str:
        return "unsupported" if self.picture else "not_an_image"

    @property
    def refusal(self) -> str:
        return f"{self.name}: {self.remedy}"


_SEND = "send JPEG, PNG, TIFF, BMP, WebP, PGM or PPM instead"
_CAMERA = "let the camera write JPEG instead"
_VIDEO = "send single frames as JPEG"

JPEG = Format("JPEG", ".jpg")
PNG = Format("PNG", ".png")
BMP = Format("BMP", ".bmp")
WEBP = Format("WebP", ".webp")
TIFF = Format("TIFF", ".tif")
PNM = Format("PNM", ".pnm")

#: (offset, magic, format); the first that fits decides.
_SIGNATURES = (
    (0, b"\xff\xd8\xff\xf7", Format("JPEG-LS", remedy=_SEND)),
    (0, b"\xff\xd8", JPEG),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"BM", BMP),
    (0, b"II*\0", TIFF),
    (0, b"MM\0*", TIFF),
    (0, b"II+\0", TIFF),
    (0, b"MM\0+", TIFF),
    (0, b"GIF87a", Format("GIF", remedy=_SEND)),
    (0, b"GIF89a", Format("GIF", remedy=_SEND)),
    (0, b"\xff\x0a", Format("JPEG XL", remedy=_SEND)),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", Format("JPEG XL", remedy=_SEND)),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", Format("JPEG 2000", remedy=_SEND)),
    (0, b"\xff\x4f\xff\x51", Format("JPEG 2000", remedy=_SEND)),
    (0, b"8BPS", Format("Photoshop document", remedy=_SEND)),
    (0, b"v/1\x01", Format("OpenEXR", remedy=_SEND)),
    (0, b"#?RADIANCE", Format("Radiance HDR", remedy=_SEND)),
    (0, b"\0\0\x01\0", Format("Windows icon", remedy=_SEND)),
    (0, b"\0\0\x01\xba", Format("MPEG video", remedy=_VIDEO, picture=False)),
    (0, b"\x1aE\xdf\xa3", Format("Matroska video", remedy=_VIDEO, picture=False)),
    (0, b"FLV\x01", Format("Flash video", remedy=_VIDEO, picture=False)),
    (0, b"%PDF", Format("PDF document", remedy=_SEND, picture=False)),
    (0, b"\x7fELF", Format("program", remedy=_SEND, picture=False)),
    (0, b"\x1f\x8b", Format("gzip archive", remedy="unpack it first", picture=False)),
    (0, b"PK\x03\x04", Format("zip archive", remedy="unpack it first", picture=False)),
    (0, b"HTTP/", Format("HTTP response", remedy="save its body alone", picture=False)),
)  # fmt: skip
_RIFF = {
    b"WEBP": WEBP,
    b"AVI ": Format("AVI video", remedy=_VIDEO, picture=False),
}
_BRANDS = {
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    "AVIF": (b"avif", b"avis"),
    "JPEG 2000": (b"jp2 ", b"jpx "),
    "JPEG XL": (b"jxl ",),
    "Canon raw (CR3)": (b"crx ",),
}
_PNM = re.compile(rb"P[1-6][\s#]")
_PAM = re.compile(rb"P7\s")
_MULTIPART = re.compile(rb"\s*--[^\r\n]{1,70}\r?\n(?:[^\r\n]*\r?\n)*?content-", re.I)
_PAGE = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|h\d|\?xml|svg|error)", re.I
)
#: How much of a file is looked at to name it.
HEAD_BYTES = 4096


def identify(data: bytes) -> Format | None:
    """What `data` is by its first bytes; None: nothing that has a name here."""
    for offset, magic, form in _SIGNATURES:
        if data[offset : offset + len(magic)] == magic:
            return form
    if data[:4] == b"RIFF":
        return _RIFF.get(bytes(data[8:12]))
    if data[4:8] == b"ftyp":
        return _by_brand(bytes(data[8:12]), bytes(data[16:64]))
    head = bytes(data[:HEAD_BYTES])
    if _PNM.match(head):
        return PNM
    if _PAM.match(head):
        return Format("PAM", remedy=_SEND)
    return _text(head)


def refusal(data: bytes) -> tuple[str, str]:
    """Reason and detail for `data` that is not read here."""
    if not data:
        return "not_an_image", "an empty file: nothing was written"
    form = identify(data)
    if form is not None and not form.is_read:
        return form.reason, form.refusal
    if not any(data[:HEAD_BYTES]):
        return "not_an_image", (
            f"begins with {min(len(data), HEAD_BYTES)} zero bytes: the file was allocated and not"
            " written; rename it into place when it is whole"
        )
    return "not_an_image", f"begins with {bytes(data[:8]).hex()}, a format without a name: {_SEND}"


def _by_brand(major: bytes, compatible: bytes) -> Format:
    for name, brands in _BRANDS.items():
        if major in brands:
            return Format(name, remedy=_CAMERA)
    brands = {compatible[at : at + 4] for at in range(0, len(compatible), 4)}
    for name in ("HEIC", "AVIF"):
        if brands & set(_BRANDS[name]):
            return Format(name, remedy=_CAMERA)
    return Format("MP4 or QuickTime video", remedy=_VIDEO, picture=False)


def _text(head: bytes) -> Format | None:
    if _MULTIPART.match(head):
        return Format(
            "multipart message", remedy="save the picture of each part alone", picture=False
        )
    if _PAGE.match(head):
        return Format(
            "HTML or XML page",
            remedy="the camera answered with a page, an error or a login perhaps",
            picture=False,
        )
    if head.lstrip()[:1] in (b"{", b"["):
        return Format("JSON text", remedy=_SEND, picture=False)
    return None
