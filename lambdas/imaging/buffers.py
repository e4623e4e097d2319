"""Memory that is kept from image to image.

Two arrays of some megabytes per image, mapped, zeroed and unmapped again, cost 1,980
page faults and a third of the transform's time in a fresh worker. So every buffer lives
as long as its owner and only grows.
"""

from __future__ import annotations

import numpy as np


class Buffer:
    """Memory for arrays of changing shape; it grows and never shrinks."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def flat(self, size: int) -> np.ndarray:
        if self._memory.size < size:
            self._memory = np.empty(size, np.uint8)
        return self._memory

    def shaped(self, *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return self.flat(size)[:size].reshape(shape)
