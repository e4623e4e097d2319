"""Encoded images of every kind that a camera, a fault or an enemy might send, made by hand.

`GOOD`: decodable, with how far from `PICTURE` (or `GREY`) the decoder may be; `BAD`: each
with the reason it fails. Not here: noise within a lossy WebP, which has no checksum and
decodes to some picture.
"""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

HEIGHT, WIDTH = 48, 64
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH]
#: BGR, smooth, so that lossy formats stay close to it.
PICTURE = np.dstack([_X * 3, _Y * 4, (_X + _Y) * 2]).astype(np.uint8)
GREY = cv2.cvtColor(PICTURE, cv2.COLOR_BGR2GRAY)


def encode(suffix: str, image=PICTURE, *options: int) -> bytes:
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


JPEG = encode(".jpg", PICTURE, cv2.IMWRITE_JPEG_QUALITY, 95)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour, rows: bytes, *extra: bytes, interlace=0, packed=None):
    """`rows` with their filter bytes; `packed` instead of compressing them."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = zlib.compress(rows) if packed is None else packed
    parts = [chunk(b"IHDR", head), *extra, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def rows_of(image) -> bytes:
    """Big-endian samples, each row behind filter 0."""
    order = image.astype(image.dtype.newbyteorder(">"))
    return b"".join(b"\0" + row.tobytes() for row in order)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segment(marker: int, body: bytes) -> bytes:
    return JPEG[:2] + segment(marker, body) + JPEG[2:]


def with_exif(orientation: int, kind: int = 3, order: bytes = b"MM") -> bytes:
    sign = ">" if order == b"MM" else "<"
    entry = struct.pack(sign + "HHIHH", 0x0112, kind, 1, orientation, 0)
    tiff = order + struct.pack(sign + "HI", 42, 8) + struct.pack(sign + "H", 1) + entry
    return with_segment(0xE1, b"Exif\0\0" + tiff)


def frame_header(data: bytes, **changes: int) -> bytes:
    """The JPEG with another precision, height, width, components or marker in its frame."""
    raw = bytearray(data)
    at = next(i for i in range(len(raw)) if raw[i] == 0xFF and raw[i + 1] in (0xC0, 0xC2))
    raw[at + 1] = changes.get("marker", raw[at + 1])
    raw[at + 4] = changes.get("precision", raw[at + 4])
    if "height" in changes:
        raw[at + 5 : at + 7] = struct.pack(">H", changes["height"])
    if "width" in changes:
        raw[at + 7 : at + 9] = struct.pack(">H", changes["width"])
    raw[at + 9] = changes.get("components", raw[at + 9])
    return bytes(raw)


def bmp_header(size: int, width: int, height: int, bits: int, compression: int = 0) -> bytes:
    file = struct.pack("<2sIHHI", b"BM", size, 0, 0, 54)
    return file + struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0
    )


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(k + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for k, b in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_frame() -> tuple[bytes, bytes]:
    whole = encode(".webp", PICTURE, cv2.IMWRITE_WEBP_QUALITY, 95)
    return whole[12:16], whole[20 : 20 + struct.unpack("<I", whole[16:20])[0]]


def canvas(flags: int, width: int, height: int) -> tuple[bytes, bytes]:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", struct.pack("<I", flags) + size


def animated_webp() -> bytes:
    kind, frame = webp_frame()
    inner = kind + struct.pack("<I", len(frame)) + frame + b"\0" * (len(frame) % 2)
    size = (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    one = b"\0" * 6 + size + (100).to_bytes(3, "little") + b"\0" + inner
    return riff(canvas(0x02, WIDTH, HEIGHT), (b"ANIM", bytes(6)), (b"ANMF", one), (b"ANMF", one))


def palette_png() -> bytes:
    index = (GREY >> 4).astype(np.uint8)
    table = b"".join(bytes([n * 16 + 8] * 3) for n in range(16))
    packed = index[:, 0::2] << 4 | index[:, 1::2]
    return png(WIDTH, HEIGHT, 4, 3, rows_of(packed), chunk(b"PLTE", table))


def animated_png() -> bytes:
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    frame = struct.pack(">IIIIIHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
    rgb = rows_of(PICTURE[:, :, ::-1])
    whole = png(WIDTH, HEIGHT, 8, 2, rgb, control, chunk(b"fcTL", frame))
    second = struct.pack(">I", 1) + frame[4:]
    later = chunk(b"fcTL", second) + chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(rgb))
    return whole[:-12] + later + whole[-12:]


def _scan_at(data: bytes) -> int:
    return data.index(b"\xff\xda")


def _damaged_scan() -> bytes:
    raw = bytearray(JPEG)
    middle = (_scan_at(JPEG) + len(raw)) // 2
    raw[middle : middle + 8] = b"\xff\xd8\xff\xd8\xff\xd8\xff\xd8"
    return bytes(raw)


RGB = rows_of(PICTURE[:, :, ::-1])
DEEP = PICTURE.astype(np.uint16) * 257
ALPHA = np.dstack([PICTURE, np.full((HEIGHT, WIDTH), 128, np.uint8)])

#: name → (data, tolerance: mean difference to PICTURE or, for grey ones, to GREY, of 0…255)
GOOD = {
    "jpeg": (JPEG, 3),
    "jpeg, progressive": (encode(".jpg", PICTURE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), 3),
    "jpeg, grey": (encode(".jpg", GREY), 3),
    "jpeg, with junk after its end": (JPEG + b"junk" * 1000, 3),
    "jpeg, EXIF without orientation": (with_segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0"), 3),
    "jpeg, EXIF that is no TIFF": (with_segment(0xE1, b"Exif\0\0" + b"\xff" * 40), 3),
    "jpeg, EXIF whose offset leads outside": (
        with_segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"), 3),
    "jpeg, EXIF that claims 65535 entries": (
        with_segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(200)), 3),
    "jpeg, orientation 0": (with_exif(0), 3),
    "jpeg, orientation 99": (with_exif(99), 3),
    "jpeg, orientation as text": (with_exif(6, kind=2), 3),
    "jpeg, little-endian orientation 1": (with_exif(1, order=b"II"), 3),
    "jpeg, a whole jpeg as comment": (with_segment(0xFE, JPEG[:60_000]), 3),
    "png": (encode(".png"), 0),
    "png, grey": (encode(".png", GREY), 0),
    "png, 16 bit": (png(WIDTH, HEIGHT, 16, 2, rows_of(DEEP[:, :, ::-1])), 1),
    "png, 16 bit grey": (png(WIDTH, HEIGHT, 16, 0, rows_of(GREY.astype(np.uint16) * 257)), 1),
    "png, alpha": (encode(".png", ALPHA), 0),
    "png, grey and alpha": (
        png(WIDTH, HEIGHT, 8, 4, rows_of(np.dstack([GREY, GREY * 0 + 7]))), 0),
    "png, palette of 4 bit": (palette_png(), 9),
    "png, animated: its first frame": (animated_png(), 0),
    "bmp": (encode(".bmp"), 0),
    "bmp, top row first": (
        bmp_header(54 + PICTURE.size, WIDTH, -HEIGHT, 24) + PICTURE.tobytes(), 0),
    "tiff": (encode(".tiff"), 0),
    "tiff, grey": (encode(".tiff", GREY), 0),
    "tiff, 16 bit": (encode(".tiff", DEEP), 1),
    "portable pixmap": (encode(".ppm"), 0),
    "portable greymap, grey": (encode(".pgm", GREY), 0),
    "jpeg, line ends before it": (b"\r\n" + JPEG, 3),
    "jpeg, stray bytes between its segments": (JPEG[:20] + b"stray" + JPEG[20:], 3),
    "jpeg, without its end": (JPEG[:-2], 3),
    "webp": (riff(webp_frame()), 4),
    "webp, lossless": (encode(".webp", PICTURE, cv2.IMWRITE_WEBP_QUALITY, 101), 0),
    "webp, animated: its first frame": (animated_webp(), 4),
}  # fmt: skip

_KIND, _FRAME = webp_frame()
BOMB = zlib.compress(bytes(64 << 20), 9)
#: name → (data, the reason it fails with)
BAD = {
    "nothing": (b"", "not_an_image"),
    "one byte": (b"\xff", "not_an_image"),
    "text": (b"Not an image at all. " * 50, "not_an_image"),
    "zeros": (bytes(5000), "not_an_image"),
    "gif": (b"GIF89a" + struct.pack("<HH", 1, 1) + bytes(40), "unsupported"),
    "pdf": (b"%PDF-1.7\n" + bytes(500), "not_an_image"),
    "program": (b"\x7fELF" + bytes(500), "not_an_image"),
    "avif by its box": (b"\0\0\0\x20ftypavif" + bytes(200), "unsupported"),
    "jpeg, its first bytes": (JPEG[:3], "truncated"),
    "jpeg, cut within its header": (JPEG[:100], "truncated"),
    "jpeg, cut within its scan": (JPEG[: len(JPEG) * 2 // 3], "truncated"),
    "jpeg, cut within its scan, an end put after": (
        JPEG[: len(JPEG) // 2] + b"\xff\xd9", "truncated"),
    "jpeg, cmyk": (frame_header(JPEG, components=4), "unsupported"),
    "jpeg, bomb header 65500 × 65500": (
        frame_header(JPEG, height=65_500, width=65_500), "too_large"),
    "jpeg, no height": (frame_header(JPEG, height=0), "unsupported"),
    "jpeg, 12 bit": (frame_header(JPEG, precision=12), "unsupported"),
    "jpeg, lossless": (frame_header(JPEG, marker=0xC3), "unsupported"),
    "jpeg, a scan with markers in it": (_damaged_scan(), "truncated"),
    "jpeg, higher than its scan": (frame_header(JPEG, height=4000, width=4000), "truncated"),
    "jpeg, end before the beginning": (b"\xff\xd8\xff\xd9" + JPEG, "not_an_image"),
    "png, its signature": (b"\x89PNG\r\n\x1a\n", "truncated"),
    "png, cut": (encode(".png")[:-200], "truncated"),
    "png, bomb header 65500 × 65500": (
        png(65_500, 65_500, 8, 2, b"", packed=BOMB), "too_large"),
    "png, rows missing": (png(WIDTH, HEIGHT, 8, 2, RGB[: len(RGB) // 2]), "not_an_image"),
    "png, checksum wrong": (
        encode(".png").replace(b"IDAT", b"IDAT\x01", 1), "not_an_image"),
    "png, compressed data is noise": (
        png(WIDTH, HEIGHT, 8, 2, b"", packed=bytes(range(256)) * 4), "not_an_image"),
    "png, no such colour type": (png(WIDTH, HEIGHT, 8, 5, RGB), "not_an_image"),
    "png, header not first": (
        b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"a\0" + b"b" * 30) + encode(".png")[8:],
        "not_an_image"),
    "bmp, bomb header": (bmp_header(54, 65_500, 65_500, 24), "too_large"),
    "bmp, cut": (encode(".bmp")[:-1000], "truncated"),
    "bmp, without its rows": (bmp_header(54, WIDTH, HEIGHT, 24), "truncated"),
    "bmp, 7 bits a pixel": (bmp_header(54 + 9000, WIDTH, HEIGHT, 7) + bytes(9000), "unsupported"),
    "webp, cut": (riff(webp_frame())[:-30], "truncated"),
    "webp, of no form": (riff((b"ABCD", bytes(50))), "not_an_image"),
    "webp, bomb canvas": (riff(canvas(0, 65_500, 65_500), (_KIND, _FRAME)), "too_large"),
    "webp, a canvas smaller than its frame": (
        riff(canvas(0, 8, 8), (_KIND, _FRAME)), "not_an_image"),
}  # fmt: skip
