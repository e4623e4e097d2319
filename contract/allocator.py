"""What the C library's allocator (glibc's) keeps of memory that nobody uses any more."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # malloc.h


def share_one_heap() -> None:
    """Before any thread begins: what one thread has freed, another one takes.

    Otherwise each has a heap of its own, and what a burst took in each of them stays. The
    interpreter's lock lets one thread at a time ask for memory anyhow, but for SQLite's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Free pages of the heap go to the kernel, where the C library can do that (glibc).

    A worker keeps what it frees (`MALLOC_TRIM_THRESHOLD_`), so that no image pays for pages. What
    loading a model took for a moment would be kept as well, and no image ever needs as much.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
