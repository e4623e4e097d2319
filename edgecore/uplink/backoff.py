"""How long to wait before trying again. Pure: randomness comes from the caller."""

from __future__ import annotations

import random
from collections.abc import Callable

BASE_S = 0.5
CAP_S = 30.0
_DOUBLINGS = 16


class Backoff:
    """Exponential with jitter in the upper half, never above the cap."""

    def __init__(
        self,
        *,
        base_s: float = BASE_S,
        cap_s: float = CAP_S,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._base_s, self._cap_s = base_s, cap_s
        self._uniform = uniform
        self.failures = 0

    def reset(self) -> None:
        self.failures = 0

    def next_s(self) -> float:
        ceiling_s = min(self._cap_s, self._base_s * 2 ** min(self.failures, _DOUBLINGS))
        self.failures += 1
        return self._uniform(ceiling_s / 2, ceiling_s)
