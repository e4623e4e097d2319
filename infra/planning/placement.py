"""How many workers, and on which GPU each: the arithmetic of a plan.

Never refuses: what it is told to do it plans, and the checks say what does not fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from infra.planning.fields import Footprint
from infra.planning.model import CPU, Reason
from infra.planning.profile import Gpu, Profile
from infra.planning.site import Site
from infra.planning.sizing import worker_memory_kb
from infra.planning.threads import network_threads


@dataclass(frozen=True, slots=True)
class Placement:
    """Model copies by the GPU each one gets (`CPU` where there is none), and what feeds them."""

    gpu_ids: tuple[int, ...]
    transforms: int
    threads: int
    reasons: tuple[Reason, ...]


def place(site: Site, profile: Profile, footprint: Footprint | None) -> Placement:
    """Decide, or take what the site says."""
    decoupled = site.strategy == "decoupled"
    # One on-demand function has one environment: all its containers share one GPU.
    gpus = profile.gpus[:1] if site.strategy == "on_demand" else profile.gpus
    if gpus:
        copies, why = _gpu_copies(site, profile, footprint)
    else:
        copies, why = _cpu_copies(site, profile, footprint)
    reasons = [why]
    transforms = 0
    if decoupled:
        transforms, why = _transforms(site, profile, footprint, copies)
        reasons.append(why)
    computing = transforms + copies if decoupled else copies
    threads, why = network_threads(site, profile, computing)
    return Placement(deal(copies, gpus), transforms, threads, (*reasons, why))


def deal(copies: int, gpus: tuple[Gpu, ...]) -> tuple[int, ...]:
    """Round-robin, so that GPUs differ by one copy at most."""
    if not gpus:
        return (CPU,) * copies
    return tuple(gpus[slot % len(gpus)].index for slot in range(copies))


def _gpu_copies(site: Site, profile: Profile, footprint: Footprint | None) -> tuple[int, Reason]:
    count = len(profile.gpus)
    if site.workers != "auto":
        return site.workers, Reason("workers", str(site.workers), "told to", "site: workers")
    if site.copies_per_gpu != "auto":
        each, why, source = site.copies_per_gpu, "told to", "site: copies_per_gpu"
    else:
        each, why, source = _copies_that_help(site, profile, footprint)
    if site.strategy == "on_demand":
        return _on_demand_copies(profile, footprint, count * each)
    text = f"{count} GPUs × {each} copies each ({why})"
    return count * each, Reason("workers", str(count * each), text, source)


def _on_demand_copies(
    profile: Profile, footprint: Footprint | None, wanted: int
) -> tuple[int, Reason]:
    room = gpu_capacity(profile, profile.gpus[0], footprint) if footprint else wanted
    copies = max(1, min(wanted, room))
    why = f"{wanted} would use all GPUs; one function has one, with room for {room}"
    return copies, Reason("workers", str(copies), why, "profile: gpus; footprint: gpu_memory_mb")


def _copies_that_help(
    site: Site, profile: Profile, footprint: Footprint | None
) -> tuple[int, str, str]:
    """A worker decodes ahead while its network runs, so one copy fills a GPU unless the
    transform is the slower stage; then as many copies as hide it, if memory and cores allow."""
    if footprint is None or footprint.ms is None:
        return 1, "a worker decodes ahead while its network runs", "profile: gpus"
    ms = footprint.ms
    wanted = 1 if site.strategy == "decoupled" else math.ceil(ms.transform / ms.inference)
    by_cores = max(1, profile.usable_cores // len(profile.gpus))
    by_memory = min(gpu_capacity(profile, gpu, footprint) for gpu in profile.gpus)
    by_main = profile.usable_memory_kb // _main_memory_kb(profile, footprint) // len(profile.gpus)
    each = max(1, min(wanted, by_cores, by_memory, by_main))
    why = (
        f"transform {ms.transform:g} ms per image, inference {ms.inference:g} ms; "
        f"cores allow {by_cores}, GPU memory {by_memory}"
    )
    return each, why, "footprint: ms, gpu_memory_mb; profile: cpu_cores, gpus"


def _main_memory_kb(profile: Profile, footprint: Footprint) -> int:
    """Main memory of one copy; an integrated GPU's memory is part of it."""
    shared = any(gpu.shares_memory for gpu in profile.gpus)
    return worker_memory_kb(footprint) + (footprint.gpu_memory_mb * 1024 if shared else 0)


def gpu_capacity(profile: Profile, gpu: Gpu, footprint: Footprint) -> int:
    """Copies of the model that fit one GPU's memory."""
    if footprint.gpu_memory_mb == 0:
        return profile.cpu_cores
    return max(0, gpu.memory_mb - profile.reserved.gpu_memory_mb) // footprint.gpu_memory_mb


def _cpu_copies(site: Site, profile: Profile, footprint: Footprint | None) -> tuple[int, Reason]:
    if site.workers != "auto":
        return site.workers, Reason("workers", str(site.workers), "told to", "site: workers")
    cores = profile.usable_cores
    by_cores = cores
    if site.strategy == "decoupled":
        by_cores = cores - _transform_share(cores, footprint)
    elif site.threads != "auto":
        by_cores = cores // site.threads
    each_kb = worker_memory_kb(footprint)
    by_memory = profile.usable_memory_kb // each_kb
    copies = max(1, min(by_cores, by_memory))
    why = (
        f"one per core: {profile.cpu_cores} cores − {profile.reserved.cores} reserved; "
        f"memory allows {by_memory} of {each_kb} KB"
    )
    return copies, Reason("workers", str(copies), why, "profile: cpu_cores, memory_mb, reserved")


def _transform_share(cores: int, footprint: Footprint | None) -> int:
    """Cores for transforms on a CPU device: by the stages' times, at least one on each side."""
    if footprint is None or footprint.ms is None:
        share = 0.25  # an image's transform is the smaller part on a CPU; measured 0.02 … 0.35
    else:
        ms = footprint.ms
        share = ms.transform / (ms.transform + ms.inference)
    return max(1, min(cores - 1, round(cores * share)))


def _transforms(
    site: Site, profile: Profile, footprint: Footprint | None, copies: int
) -> tuple[int, Reason]:
    if site.transforms != "auto":
        value = site.transforms
        return value, Reason("transforms", str(value), "told to", "site: transforms")
    cores = profile.usable_cores
    if not profile.gpus:
        value = max(1, min(_transform_share(cores, footprint), cores - copies))
        why = f"{cores} cores shared with {copies} workers by the stages' times"
    elif footprint is None or footprint.ms is None:
        value = max(1, min(cores - copies, copies))
        why = "one per worker; a footprint with times would say better"
    else:
        wanted = math.ceil(copies * footprint.ms.transform / footprint.ms.inference)
        value = max(1, min(cores - copies, wanted))
        why = f"{wanted} keep {copies} GPU workers fed; {cores} cores, one kept for each worker"
    return value, Reason("transforms", str(value), why, "profile: cpu_cores; footprint: ms")
