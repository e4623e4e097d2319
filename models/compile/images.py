"""The user's images: which calibrate, which judge, and as what the network sees them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import numpy as np

from lambdas.imaging.header import MAX_BYTES, ImageError
from lambdas.imaging.transform import Transform
from lambdas.model.spec import Input, ModelError

#: More images refine the ranges of activations hardly; each costs a run of the network.
CALIBRATE = 128
JUDGE = 256
#: With fewer there is nothing to divide: the same images calibrate and judge.
DIVISIBLE = 8

Progress = Callable[[int, int], None]


class Images(NamedTuple):
    """`calibrate` and `judge` have no file in common, unless `shared`."""

    calibrate: list[Path]
    judge: list[Path]
    skipped: list[str]
    shared: bool


def choose(folder: Path, transform: Transform) -> Images:
    """Files of `folder`, below too, that are images, divided the same way at every call.

    Files that are none (a licence beside them) are skipped. Raises `ModelError`.
    """
    if not folder.is_dir():
        raise ModelError(f"--calibrate {folder}: no such folder; it holds your images")
    usable: list[Path] = []
    skipped: list[str] = []
    out = np.empty(transform.shape, np.float32)
    for path in sorted((p for p in folder.rglob("*") if p.is_file()), key=_mixed(folder)):
        if len(usable) == CALIBRATE + JUDGE:
            break
        try:
            _read(path, transform, out)
            usable.append(path)
        except (ImageError, OSError):
            skipped.append(path.name)
    if not usable:
        raise ModelError(f"--calibrate {folder}: none of its {len(skipped)} files is an image")
    if len(usable) < DIVISIBLE:
        return Images(usable, usable, skipped, shared=True)
    count = min(CALIBRATE, len(usable) // 3)
    return Images(usable[:count], usable[count:], skipped, shared=False)


def batches(
    paths: list[Path], spec: Input, transform: Transform, progress: Progress
) -> Iterator[np.ndarray]:
    """Full batches of `spec.shape`; the last one is filled up with its last image."""
    for start in range(0, len(paths), spec.batch):
        batch = np.empty(spec.shape, np.float32)
        chosen = paths[start : start + spec.batch]
        for row in range(spec.batch):
            if row < len(chosen):
                _read(chosen[row], transform, batch[row])
            else:
                batch[row] = batch[row - 1]
        yield batch
        progress(start + len(chosen), len(paths))


def _read(path: Path, transform: Transform, out: np.ndarray) -> None:
    if path.stat().st_size > MAX_BYTES:
        raise ImageError("too_large", f"{path.name} is over {MAX_BYTES} bytes")
    transform(path.read_bytes(), out)


def _mixed(folder: Path) -> Callable[[Path], str]:
    """An order without order: neighbours of a recording must not all be on one side."""
    return lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).hexdigest()
