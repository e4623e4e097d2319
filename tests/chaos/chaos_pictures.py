"""Pictures that say who they are: 64 pixels, black or white, the first 64 bits of a hash.

What a worker has read of one comes back with its result (`chaos_hooks`), so the oracle can
tie every result to the pixels of its image and not only to its name.
"""

from __future__ import annotations

import hashlib
import struct
import zlib

SIDE = 8
#: Colour of the first pixel → what the worker does that reads it, or whose network has run on
#: it (`chaos_hooks`).
POISON = {"segfault": (255, 0, 0), "frozen": (0, 0, 255), "segfault after": (0, 255, 0)}


def code_of(name: str) -> str:
    """16 hexadecimal digits, another for every image."""
    return hashlib.sha256(name.encode()).hexdigest()[: SIDE * SIDE // 4]


def picture(code: str, poison: str | None = None) -> bytes:
    """A PNG of 8 × 8 pixels that shows `code`."""
    bits = f"{int(code, 16):0{SIDE * SIDE}b}"
    pixels = [(255,) * 3 if bit == "1" else (0,) * 3 for bit in bits]
    if poison:
        pixels[0] = POISON[poison]
    rows = (pixels[y * SIDE : (y + 1) * SIDE] for y in range(SIDE))
    raw = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in rows)
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(raw)),
         _chunk(b"IEND", b""))
    )  # fmt: skip


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
