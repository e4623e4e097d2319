"""Samples of 16 bits and of colour filter arrays → H×W×3 uint8.

A picture's own minimum and maximum are never used: its brightness would depend on the scene.
"""

from __future__ import annotations

import cv2
import numpy as np

from lambdas.imaging.errors import ImageError
from lambdas.imaging.rules import Sensor

# OpenCV names a filter by its second row's second and third pixel: its BG is RGGB.
_BAYER = {
    "RGGB": cv2.COLOR_BayerBG2BGR,
    "BGGR": cv2.COLOR_BayerRG2BGR,
    "GRBG": cv2.COLOR_BayerGB2BGR,
    "GBRG": cv2.COLOR_BayerGR2BGR,
}
_WHOLE = 16


def to_eight_bits(image: np.ndarray, sensor: Sensor, declared_bits: int) -> np.ndarray:
    """uint8 of the same shape; `declared_bits`: by the file itself. Raises `ImageError`."""
    if image.dtype == np.uint8:
        return image
    bits = sensor.bits or declared_bits or _WHOLE
    if bits <= 8:
        bits, shift = 8, 0
    used = int(np.bitwise_or.reduce(image, axis=None))
    spare = _WHOLE - bits
    aligned_high = sensor.align == "msb" or (
        sensor.align == "auto" and used >> bits and not used & ((1 << spare) - 1)
    )
    if aligned_high:
        shift = _WHOLE - 8
    elif used >> bits:
        raise ImageError(
            "unsupported",
            f"16-bit samples up to {used.bit_length()} bits where {bits} are declared:"
            " correct `bits` of this camera in the site file",
        )
    else:
        shift = bits - 8
    return (image >> shift).astype(np.uint8)


def to_bgr(image: np.ndarray, sensor: Sensor) -> np.ndarray:
    """H×W×3 uint8 in OpenCV's order from grey, a colour filter, colour or colour with alpha."""
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim == 2:
        code = _BAYER.get(sensor.bayer, cv2.COLOR_GRAY2BGR)
        return cv2.cvtColor(image, code)
    if image.shape[2] == 4:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    return image


def raw_frame(data: bytes, sensor: Sensor) -> np.ndarray:
    """A frame without a header: H×W uint8 or uint16, little-endian as GigE Vision writes it."""
    shape = (sensor.height_px, sensor.width_px)
    if sensor.packing:
        unpacked = _contiguous if sensor.packing == "p" else _in_threes
        return unpacked(data, sensor.bits)[: shape[0] * shape[1]].reshape(shape)
    return np.frombuffer(data, "<u2" if sensor.bits > 8 else "u1").reshape(shape)


def _contiguous(data: bytes, bits: int) -> np.ndarray:
    """Mono10p, Mono12p: one sample's bits after the other's, the lowest first (PFNC 2.1)."""
    count = {10: 4, 12: 2}[bits]
    groups = _groups(data, count * bits // 8)
    out = np.empty((len(groups), count), np.uint16)
    for number in range(count):
        at, shift = divmod(number * bits, 8)
        pair = groups[:, at] | groups[:, at + 1] << 8
        out[:, number] = (pair >> shift) & ((1 << bits) - 1)
    return out.reshape(-1)


def _in_threes(data: bytes, bits: int) -> np.ndarray:
    """Mono10Packed, Mono12Packed: high bytes of two samples around their low bits (GigE Vision)."""
    groups = _groups(data, 3)
    low, mask = groups[:, 1], (1 << bits - 8) - 1
    first = groups[:, 0] << bits - 8 | low & mask
    second = groups[:, 2] << bits - 8 | low >> 4 & mask
    return np.stack([first, second], axis=1).reshape(-1)


def _groups(data: bytes, length: int) -> np.ndarray:
    """N×length uint16, the last one filled up with zeros."""
    whole = data + bytes(-len(data) % length)
    return np.frombuffer(whole, np.uint8).reshape(-1, length).astype(np.uint16)
