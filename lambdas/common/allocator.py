"""What the C library's allocator keeps of memory that nobody uses any more."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Free pages of the heap go to the kernel, where the C library can do that (glibc).

    A worker keeps what it frees (`MALLOC_TRIM_THRESHOLD_`), so that no image pays for pages. What
    loading a model took for a moment would be kept as well, and no image ever needs as much.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
