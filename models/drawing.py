"""A picture with what a network found on it."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lambdas.imaging.decode import Decoder
from lambdas.imaging.header import read_header

#: Distinguishable on photographs, also to most colour-blind people (Okabe and Ito), BGR.
_COLOURS = ((0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240), (178, 114, 0),
            (0, 94, 213), (167, 121, 204))  # fmt: skip
_LONGEST_PX = 1600


def draw(path: Path, output: dict[str, Any], folder: Path, taken: set[Path]) -> Path:
    """Write `path` with `output` drawn on it to `folder` as PNG; returns the file.

    `taken`: files that must stay, the returned one is added. Raises `OSError`.
    """
    data = path.read_bytes()
    # As the worker saw it: OpenCV alone reads less, and turns less upright.
    picture = Decoder("bgr").decode(data, read_header(data), 0, 0).copy()
    scale = min(1.0, _LONGEST_PX / max(picture.shape[:2]))
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for entry in (*output.get("boxes", ()), *output.get("classes", ()), output):
        if isinstance(entry, dict) and "mask" in entry:
            _tint(picture, pixels(entry["mask"]), _colour(entry.get("index", 0)))
    for entry in output.get("boxes", ()):
        _box(picture, entry)
    _words(picture, headline(output))
    folder.mkdir(parents=True, exist_ok=True)
    names = chain([path.stem], (f"{path.stem}-{number}" for number in count(2)))
    written = next(each for name in names if (each := folder / f"{name}.png") not in taken)
    written.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    taken.add(written)
    return written


def headline(output: dict[str, Any]) -> list[str]:
    """Lines that say what was found."""
    if "top" in output:
        return [f"{entry['label']} {entry['score']:.3f}" for entry in output["top"][:3]]
    if "classes" in output:
        return [f"{entry['label']} {entry['share']:.1%}" for entry in output["classes"][:5]]
    if "anomalous" in output:
        word = "ANOMALOUS" if output["anomalous"] else "normal"
        return [f"{word} {output['score']:.3f} (threshold {output['threshold']:g})"]
    if "boxes" in output:
        return [] if output["boxes"] else ["nothing found"]
    return [str(output)[:80]]


def pixels(mask: dict[str, Any]) -> np.ndarray:
    """H×W bool of COCO's compressed run lengths."""
    height, width = mask["size"]
    runs: list[int] = []
    value = shift = 0
    for letter in mask["counts"]:
        bits = ord(letter) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    upright: np.ndarray = flat.reshape(width, height).T
    return upright


def _tint(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> None:
    size = (picture.shape[1], picture.shape[0])
    large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    picture[large] = (picture[large] * 0.5 + np.array(colour, np.float32) * 0.5).astype(np.uint8)


def _box(picture: np.ndarray, entry: dict[str, Any]) -> None:
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (round(v * s) for v, s in zip(entry["box"], (width, height) * 2))
    colour = _colour(entry["index"])
    thick = max(2, round(max(width, height) / 400))
    cv2.rectangle(picture, (x0, y0), (x1, y1), colour, thick)
    _line(picture, f"{entry['label']} {entry['score']:.2f}", (x0, max(y0, 0)), colour)


def _words(picture: np.ndarray, lines: list[str]) -> None:
    step = max(24, picture.shape[0] // 20)
    for number, text in enumerate(lines):
        _line(picture, text, (8, 8 + number * step), (32, 32, 32))


def _line(
    picture: np.ndarray, text: str, at: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    plain = text.encode("ascii", "replace").decode()
    scale = max(0.4, max(picture.shape[:2]) / 1600)
    (width, height), base = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    x, y = max(0, min(at[0], picture.shape[1] - width)), at[1]
    cv2.rectangle(picture, (x, y), (x + width, y + height + 2 * base), colour, -1)
    light = sum(colour) < 330
    ink = (255, 255, 255) if light else (0, 0, 0)
    cv2.putText(picture, plain, (x, y + height + base), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1,
                cv2.LINE_AA)  # fmt: skip


def _colour(index: int) -> tuple[int, int, int]:
    return _COLOURS[index % len(_COLOURS)]
