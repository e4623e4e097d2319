"""Which settings are worth trying: axes from a profile and the model's times. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from infra.planning import Footprint, Profile, Site

BATCHES = (1, 2, 4, 8, 16, 32)
WINDOWS = (1, 2, 3, 4)
#: A batch that takes longer makes a worker's results wait for one another.
LONGEST_BATCH_MS = 500.0
#: More copies than this on one GPU take turns and bring nothing (the article tried two).
COPIES = (1, 2, 3, 4)
NAMES = ("workers", "threads", "transforms", "batch", "window", "package")


@dataclass(frozen=True)
class Space:
    """The axes, in the order of `NAMES`; an axis of one value is fixed."""

    axes: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """Points of the whole grid: what brute force would measure."""
        size = 1
        for values in self.axes:
            size *= len(values)
        return size

    def named(self, point: tuple[int, ...]) -> dict[str, int]:
        return dict(zip(NAMES, point, strict=True))


def space_of(site: Site, profile: Profile, footprint: Footprint | None, packages: int) -> Space:
    """Axes for `packages` versions of one model on this device.

    On a CPU workers and threads share the cores; with GPUs each gets one to four copies, as many
    as the footprint allows, and its workers need no threads.
    """
    cores = profile.usable_cores
    if profile.accelerators:
        room = _copies_that_fit(profile, footprint)
        workers = tuple(len(profile.accelerators) * n for n in COPIES if n <= room)
        threads: tuple[int, ...] = (1,)
    else:
        workers = threads = _doubling(cores)
    transforms = _doubling(cores) if site.strategy == "decoupled" else (0,)
    ms = footprint.ms.inference if footprint and footprint.ms else 0.0
    batches = tuple(n for n in BATCHES if n == 1 or n * ms <= LONGEST_BATCH_MS)
    return Space((workers, threads, transforms, batches, WINDOWS, tuple(range(packages))))


def _copies_that_fit(profile: Profile, footprint: Footprint | None) -> int:
    need = footprint.gpu_memory_mb if footprint else 0
    if need == 0:
        return max(COPIES)
    free = min(gpu.memory_mb for gpu in profile.accelerators) - profile.reserved.gpu_memory_mb
    return max(1, free // need)


def _doubling(most: int) -> tuple[int, ...]:
    """1, 2, 4 … up to `most`, and `most` itself."""
    found = [1]
    while found[-1] * 2 <= most:
        found.append(found[-1] * 2)
    return tuple(found if found[-1] == most else [*found, most])
