"""How many threads each worker may use, so that workers do not fight for cores.

Measured on two cores: N workers of one thread beat one worker of N threads by 4 %, and MXNet left
alone takes half the machine in each worker. OpenCV's threads burn CPU for no gain.
"""

from __future__ import annotations

from infra.planning.model import Reason
from infra.planning.profile import Profile
from infra.planning.site import Site

CV_THREADS = 1

# A fresh worker's large temporaries are mapped, zeroed and unmapped for every image: 1,981 page
# faults and half the transform's time. Keeping them on the heap costs memory that is reused.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "30000000"}


def network_threads(
    site: Site, profile: Profile, copies: int, transforms: int
) -> tuple[int, Reason]:
    """Threads of one worker's network (`OMP_NUM_THREADS`). Transforms have one each."""
    if site.threads != "auto":
        return site.threads, _reason(site.threads, "set in the site", "site: threads")
    if profile.accelerators:
        return 1, _reason(1, "the network runs on the GPU", "profile: gpus")
    cores = profile.usable_cores - transforms
    share = max(1, cores // copies)
    why = f"{cores} cores for {copies} workers"
    return share, _reason(share, why, "profile: cpu_cores, reserved.cores")


def _reason(value: int, why: str, source: str) -> Reason:
    return Reason("threads per worker", str(value), why, source)
