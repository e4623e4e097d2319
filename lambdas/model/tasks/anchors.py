"""How many boxes the grids of a YOLO make: Σ over the strides of (height/s)·(width/s)."""

from __future__ import annotations

_STRIDES = ((8, 16, 32), (8, 16, 32, 64))


def anchor_free(height_px: int, width_px: int) -> tuple[int, ...]:
    """One box per cell (v6 on, YOLOX); with stride 64 for the P6 models."""
    return tuple(
        sum((height_px // stride) * (width_px // stride) for stride in strides)
        for strides in _STRIDES
    )


def anchor_based(height_px: int, width_px: int) -> tuple[int, ...]:
    """Three boxes per cell (v5, v7)."""
    return tuple(3 * count for count in anchor_free(height_px, width_px))
