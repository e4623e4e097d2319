"""Formats that are refused by name, with what to do instead; those that are read: image_kinds.

Signatures are public: ITU-T T.81 (JPEG), RFC 2083 (PNG), RFC 9649 (WebP), TIFF 6.0 and
BigTIFF, netpbm's manual pages, ISO/IEC 14496-12 (`ftyp` brands of HEIC, AVIF and MP4),
15444-1 (JPEG 2000), 18181-2 (JPEG XL), 14495-1 (JPEG-LS). Pure, standard library only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from contract.image_kinds import JPEG, KINDS, LABELS, kind_of


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
_UNPACK = "unpack it first"
_BYTES = "the sender copies it as text, let it copy bytes"
_DECODE = "send the decoded bytes (MQTT and files carry them as they are)"

#: What is a picture and is not read, by magic at an offset; the first that fits decides.
_PICTURES = (
    (0, b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"8BPS", "Photoshop document"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"PF\n", "PFM"),
    (0, b"Pf\n", "PFM"),
    (0, b"\0\0\x01\0", "Windows icon"),
    (0, b"icns", "Apple icon"),
    (0, b"DDS ", "DirectDraw surface"),
    (0, b"qoif", "QOI"),
    (0, b"FLIF", "FLIF"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"\x01\xda\x00\x01", "SGI picture"),
    (0, b"\x8aMNG\r\n", "MNG"),
    (0, b"\x8bJNG\r\n", "JNG"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"SDPX", "DPX"),
    (0, b"XPDS", "DPX"),
    (0, b"PH\n", "PHM"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"\x05\x01\x08", "PCX"),  # behind a byte that is a line end
    (0, b"BLP2", "BLP"),
    (0, b"/* XPM */", "XPM"),
    (0, b"#define ", "XBM"),
    (0, b"gimp xcf ", "GIMP document"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"\xd7\xcd\xc6\x9a", "Windows metafile"),
    (8, b"\0\0\0\x04CgBI", "PNG of Apple's own form (CgBI)"),
    (128, b"DICM", "DICOM"),
)
_RAW_CAMERAS = (
    (8, b"CR\x02", "Canon raw (CR2)"),
    (6, b"HEAPCCDR", "Canon raw (CRW)"),
    (0, b"FUJIFILMCCD-RAW", "Fujifilm raw (RAF)"),
    (0, b"IIRO", "Olympus raw (ORF)"),
    (0, b"IIRS", "Olympus raw (ORF)"),
    (0, b"IIU\0", "Panasonic raw (RW2)"),
    (0, b"\0MRM", "Minolta raw (MRW)"),
    (0, b"FOVb", "Sigma raw (X3F)"),
)
#: No picture at all.
_OTHERS = (
    (0, b"\0\0\x01\xba", "MPEG video", _VIDEO),
    (0, b"\0\0\x01\xb3", "MPEG video", _VIDEO),
    (0, b"\x1aE\xdf\xa3", "Matroska video", _VIDEO),
    (0, b"FLV\x01", "Flash video", _VIDEO),
    (0, b"OggS", "Ogg video", _VIDEO),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media video", _VIDEO),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "MXF video", _VIDEO),
    (0, b"DKIF", "IVF video", _VIDEO),
    (0, b"YUV4MPEG2", "YUV4MPEG video", _VIDEO),
    (0, b"DHAV", "Dahua video", _VIDEO),
    (0, b"IMKH", "Hikvision video", _VIDEO),
    (0, b"%PDF", "PDF document", _SEND),
    (0, b"%!PS", "PostScript document", _SEND),
    (0, b"\x7fELF", "program", _SEND),
    (0, b"MZ", "Windows program", _SEND),
    (0, b"\x93NUMPY", "NumPy array", _SEND),
    (0, b"\x89HDF\r\n", "HDF5 file", _SEND),
    (0, b"\x1f\x8b", "gzip archive", _UNPACK),
    (0, b"PK\x03\x04", "zip archive", _UNPACK),
    (0, b"PK\x05\x06", "empty zip archive", _SEND),
    (0, b"\x04\x22\x4d\x18", "LZ4 archive", _UNPACK),
    (0, b"SQLite format 3", "SQLite database", _SEND),
    (0, b"-----BEGIN ", "key or certificate", _SEND),
    (0, b"7z\xbc\xaf'\x1c", "7-Zip archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "RAR archive", _UNPACK),
    (0, b"BZh", "bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "xz archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard archive", _UNPACK),
    (257, b"ustar", "tar archive", _UNPACK),
    (0, b"HTTP/", "HTTP response", "save its body alone"),
    (0, b"RTSP/", "RTSP response", "name the stream as the camera's `source` in the site file"),
    (0, b"data:image/", "data URI", _DECODE),
    (0, b"/9j/", "JPEG in Base64", _DECODE),
    (0, b"iVBORw0KGgo", "PNG in Base64", _DECODE),
    (0, b"\x89PNG\n\x1a\n", "PNG whose line ends were changed", _BYTES),
    (0, b"\x89PNG\r\r\n", "PNG whose line ends were changed", _BYTES),
    (0, b"\xc3\xbf\xc3\x98\xc3\xbf", "JPEG written as UTF-8", _BYTES),
    (0, b"\xef\xbf\xbd\xef\xbf\xbd", "bytes written as text", _BYTES),
    (0, b"\xc2\x89PNG", "PNG written as UTF-8", _BYTES),
    (0, b"\xef\xbf\xbdPNG", "PNG written as text", _BYTES),
)
_SIGNATURES = (
    *((at, magic, Refused(name, _SEND)) for at, magic, name in _PICTURES),
    *((at, magic, Refused(name, _CAMERA)) for at, magic, name in _RAW_CAMERAS),
    *((at, magic, Refused(name, do, picture=False)) for at, magic, name, do in _OTHERS),
)
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
#: Annex B start code, then a parameter set or a slice; a transport stream has 0x47 each 188 bytes.
_ANNEX_B = re.compile(rb"\0\0(?:\0)?\x01[\x06\x09\x27\x47\x67\x40\x42\x44\x46\x65]")
_PACKET_BYTES = 188
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CONTROLS = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LETTERS = re.compile(rb"[\t\r\n\x20-\x7e]")
#: Of words in Latin-1; UTF-8 may be another script altogether.
_LEAST_ASCII = 0.8
_LEAST_WORD_BYTES = 4
_SAID_BYTES = 40
_PAM = re.compile(rb"P7\s")
_MULTIPART = re.compile(rb"\s*--[^\r\n]{1,70}\r?\n(?:[^\r\n]*\r?\n)*?content-", re.I)
_PART = re.compile(rb"(?:[\w-]+:[^\r\n]*\r?\n)*?content-(?:type|length|disposition):", re.I)
_CHUNKED = re.compile(rb"[0-9a-f]{1,8}\r\n\xff\xd8\xff", re.I)
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|!--|\?xml|[a-z][\w:.-]*[\s/>])", re.I)
_SVG = re.compile(rb"<svg[\s/>]", re.I)
_TEXTS = (
    (_PAM, Refused("PAM", _SEND)),
    (_MULTIPART, Refused("multipart message", "save the picture of each part alone", False)),
    (_PART, Refused("part of a multipart message", "save what follows its head", False)),
    (_CHUNKED, Refused("JPEG in chunks of HTTP", "save its body decoded", False)),
    (
        _PAGE,
        Refused(
            "HTML or XML page",
            "the camera answered with a page, an error or a login perhaps",
            False,
        ),
    ),
)
#: So far in, a picture that something was put before is told.
_BEFORE_BYTES = 64
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
    return _stream(head) or _text(head)


def refusal(data: bytes) -> tuple[str, str]:
    """Reason and detail for `data` that is not read here."""
    if not data:
        return "not_an_image", "an empty file: nothing was written"
    form = named(data)
    if form is not None:
        return form.reason, form.detail
    words = _words(bytes(data[:HEAD_BYTES]))
    if words is not None:
        return "not_an_image", words
    return "not_an_image", _nameless(data)


def _nameless(data: bytes) -> str:
    """What can be said of bytes that begin as nothing that has a name here."""
    before = bytes(data[:_BEFORE_BYTES]).find(JPEG.magic)
    if before > 0:
        return f"{before} bytes stand before a JPEG: send it from FF D8 on"
    begun = [kind for kind in KINDS if len(data) > 1 and kind.magic.startswith(bytes(data[:8]))]
    if begun:
        return f"the first {len(data)} bytes of a {begun[0].label}, and no more"
    if not any(data[:HEAD_BYTES]):
        return (
            f"begins with {min(len(data), HEAD_BYTES)} zero bytes: the file was allocated and not"
            " written; rename it into place when it is whole"
        )
    return f"begins with {bytes(data[:8]).hex()}, a format without a name: {_SEND}"


def _by_brand(major: bytes, compatible: bytes) -> Refused:
    for name, brands in _BRANDS.items():
        if major in brands:
            return Refused(name, _CAMERA)
    also = {compatible[at : at + 4] for at in range(0, len(compatible), 4)}
    for name in ("HEIC", "AVIF"):
        if also & set(_BRANDS[name]):
            return Refused(name, _CAMERA)
    return Refused("MP4 or QuickTime video", _VIDEO, picture=False)


def _stream(head: bytes) -> Refused | None:
    if _ANNEX_B.match(head[:8]):
        return Refused("raw video (H.264 or H.265)", _VIDEO, picture=False)
    if head[:1] == b"G" and head[_PACKET_BYTES : _PACKET_BYTES + 1] == b"G":
        return Refused("MPEG transport stream", _VIDEO, picture=False)
    return None


def _text(head: bytes) -> Refused | None:
    if head[:2] in _UTF16:
        head = head.decode("utf-16", "ignore").encode()
    if _PAGE.match(head) and _SVG.search(head):
        return Refused("SVG", _SEND)
    for form, refused in _TEXTS:
        if form.match(head):
            return refused
    if head.lstrip()[:1] in (b"{", b"["):
        return Refused("JSON text", _SEND, picture=False)
    return None


def _words(head: bytes) -> str | None:
    marked = head[: len(_UTF8_MARK)] == _UTF8_MARK
    rest = head[len(_UTF8_MARK) :] if marked else head
    if marked and kind_of(rest) is not None:
        return "a UTF-8 mark before a picture: the sender writes it as text, let it write bytes"
    said = _first_words(rest)
    if said is None:
        return None
    return f"text ({said!r}), no picture: {_SEND}" if said else "nothing but white space"


def _first_words(head: bytes) -> str | None:
    """The first of its words; None: it is not text."""
    if len(head) < _LEAST_WORD_BYTES or _CONTROLS.search(head):
        return None
    ascii_bytes = len(_LETTERS.findall(head))
    try:
        text = head.decode("utf-8", "strict" if len(head) < HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        if ascii_bytes < _LEAST_ASCII * len(head):
            return None
        text = head.decode("latin-1")
    return text[:_SAID_BYTES].strip()
