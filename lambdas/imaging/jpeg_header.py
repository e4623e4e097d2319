"""A JPEG's segments up to its first scan (ITU-T T.81, annex B). Pure, allocates nothing."""

from __future__ import annotations

import struct
from typing import NamedTuple

from contract.image_kinds import LABELS
from lambdas.imaging import exif
from lambdas.imaging.errors import ImageError

# Start-of-frame markers (table B.1): C0–CF without DHT, JPG and DAC.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NO_LENGTH = frozenset(range(0xD0, 0xD9)) | {0x01}
_LS_FRAME = 0xF7  # SOF55, ISO/IEC 14495-1
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_LOSSLESS = frozenset((0xC3, 0xC7, 0xCB, 0xCF))
_END, _SCAN, _RESTART_INTERVAL, _APP1 = 0xD9, 0xDA, 0xDD, 0xE1
#: Bytes between two segments that are skipped, as decoders do, before it is called broken.
_MAX_STRAY = 65_536


class Frame(NamedTuple):
    """`mcu_px`: width and height of one MCU; `scan_at`: where the first scan begins."""

    precision: int
    height_px: int
    width_px: int
    components: int
    mcu_px: tuple[int, int]
    marker: int
    scan_at: int
    restart_interval: int
    orientation: int

    @property
    def progressive(self) -> bool:
        return self.marker in _PROGRESSIVE

    @property
    def lossless(self) -> bool:
        return self.marker in _LOSSLESS

    @property
    def mcus(self) -> int:
        """In one interleaved scan of all components."""
        width, height = self.mcu_px
        return -(-self.width_px // width) * -(-self.height_px // height)


def read_frame(data: bytes) -> Frame:
    """Raises `ImageError`; struct.error or IndexError where the header ends early."""
    at, interval, sof = 2, 0, None
    first_exif = None
    while True:
        at = _marker_at(data, at)
        marker = data[at + 1]
        if marker in _NO_LENGTH:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2 or marker == _END:
            raise ImageError("not_an_image", f"JPEG with a broken segment at byte {at}")
        body = at + 4
        if marker == _APP1 and first_exif is None and exif.is_exif(data[body : body + 6]):
            first_exif = exif.orientation(data[body : at + 2 + length])
        elif marker == _RESTART_INTERVAL:
            (interval,) = struct.unpack_from(">H", data, body)
        elif marker == _LS_FRAME:
            raise ImageError("unsupported", f"JPEG-LS: send {LABELS} instead")
        elif marker in _START_OF_FRAME:
            sof = (marker, body)
        elif marker == _SCAN:
            break
        at += 2 + length
    if sof is None:
        raise ImageError("not_an_image", "JPEG without a frame header")
    return _frame(data, sof, at, interval, first_exif or exif.UPRIGHT)


def without_strays(data: bytes, frame: Frame) -> tuple[bytes, Frame]:
    """The same picture without stray bytes before its scan.

    simplejpeg refuses a header that has some, also where it is told to be lenient.
    """
    kept, at = [data[:2]], 2
    while at < frame.scan_at:
        at = _marker_at(data, at)
        if at >= frame.scan_at:
            break
        alone = data[at + 1] in _NO_LENGTH
        end = at + 2 + (0 if alone else struct.unpack_from(">H", data, at + 2)[0])
        kept.append(data[at:end])
        at = end
    header = b"".join(kept)
    return header + data[frame.scan_at :], frame._replace(scan_at=len(header))


def _marker_at(data: bytes, at: int) -> int:
    """The next marker: stray bytes before one are skipped, fill bytes (0xFF) too."""
    start = at
    while data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
        at += 1
        if at - start > _MAX_STRAY:
            raise ImageError("not_an_image", f"JPEG without a marker after byte {start}")
    return at


def _frame(data: bytes, sof: tuple[int, int], scan_at: int, interval: int, turned: int) -> Frame:
    marker, at = sof
    precision, height, width, components = struct.unpack_from(">BHHB", data, at)
    sampling = [data[at + 7 + 3 * index] for index in range(min(components, 4))]
    widest = max((factors >> 4 for factors in sampling), default=1)
    highest = max((factors & 15 for factors in sampling), default=1)
    # A scan of one component is not interleaved: its MCU is one block (A.2.2).
    single = components == 1
    mcu = (8, 8) if single else (8 * max(widest, 1), 8 * max(highest, 1))
    return Frame(precision, height, width, components, mcu, marker, scan_at, interval, turned)


def refuse_unusual(frame: Frame) -> None:
    """What no decoder here reads, or reads wrongly, is refused by name. Raises `ImageError`."""
    if frame.precision != 8:
        kind = "lossless JPEG" if frame.lossless else "JPEG"
        raise ImageError(
            "unsupported",
            f"{kind} of {frame.precision} bits a sample: send 8 bits, or a 16-bit PNG or TIFF",
        )
    if frame.height_px == 0:
        raise ImageError(
            "unsupported", "JPEG that tells its height after its scan (DNL): send it re-encoded"
        )
    if frame.components not in (1, 3):
        # No marker tells for sure whether it is inverted: either reading may be a negative.
        name = "CMYK JPEG" if frame.components == 4 else f"JPEG of {frame.components} channels"
        raise ImageError("unsupported", f"{name}: send it as RGB or grey")
