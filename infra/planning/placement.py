"""How many workers, and on which GPU each: the arithmetic of a plan.

Never refuses: what it is told to do it plans, and the checks say what does not fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from contract.limits import FUNCTIONS_PER_GROUP, UNPINNED_WORKERS
from infra.planning.fields import Footprint, StageTimes
from infra.planning.model import CPU, Isolation, Reason
from infra.planning.profile import Accelerator, Profile
from infra.planning.site import Site
from infra.planning.sizing import BATCHES_IN_FLIGHT, TRANSFORM_KB, ring_kb, worker_memory_kb
from infra.planning.threads import network_threads

# Of a CPU device's cores, for transforms, where no footprint says better: measured 0.02 … 0.35.
_TRANSFORM_SHARE = 0.25
# The splitter and the aggregator take a container each; beside them are two system functions.
_OTHER_CONTAINERS = 2
_OTHER_FUNCTIONS = 4


@dataclass(frozen=True, slots=True)
class Placement:
    """Copies of the model, by what each one computes on (none: the CPU), and what feeds them."""

    places: tuple[Accelerator | None, ...]
    transforms: int
    threads: int
    reasons: tuple[Reason, ...]

    @property
    def accelerators(self) -> tuple[Accelerator, ...]:
        """Those that are used, each once."""
        return tuple(dict.fromkeys(each for each in self.places if each is not None))

    @property
    def gpu_ids(self) -> tuple[int, ...]:
        """Index of the card of each copy (`CPU` where there is none)."""
        return tuple(CPU if each is None else each.index for each in self.places)


def place(
    site: Site, profile: Profile, footprint: Footprint | None, isolation: Isolation
) -> Placement:
    """Decide, or take what the site says."""
    arithmetic = _Arithmetic(site, profile, footprint, isolation)
    copies, why = arithmetic.copies()
    reasons = [why]
    transforms = 0
    if site.strategy == "decoupled":
        transforms, why = arithmetic.transforms(copies)
        reasons.append(why)
    threads, why = network_threads(site, profile, copies, transforms)
    return Placement(deal(copies, arithmetic.gpus), transforms, threads, (*reasons, why))


def deal(copies: int, gpus: tuple[Accelerator, ...]) -> tuple[Accelerator | None, ...]:
    """Round-robin, so that GPUs differ by one copy at most."""
    if not gpus:
        return (None,) * copies
    return tuple(gpus[slot % len(gpus)] for slot in range(copies))


def gpu_capacity(profile: Profile, gpu: Accelerator, footprint: Footprint) -> int:
    """Copies of the model that fit one GPU's memory."""
    if footprint.gpu_memory_mb == 0:
        return profile.cpu_cores
    return max(0, gpu.memory_mb - profile.reserved.gpu_memory_mb) // footprint.gpu_memory_mb


@dataclass(frozen=True, slots=True)
class _Arithmetic:
    site: Site
    profile: Profile
    footprint: Footprint | None
    isolation: Isolation

    @property
    def ms(self) -> StageTimes | None:
        return self.footprint.ms if self.footprint else None

    @property
    def gpus(self) -> tuple[Accelerator, ...]:
        """One on-demand function has one environment: all its containers share one GPU."""
        return (
            self.profile.accelerators[:1]
            if self.site.strategy == "on_demand"
            else self.profile.accelerators
        )

    @property
    def slots(self) -> int:
        """Functions that may compute at once: one per core, or fewer where each takes a
        container and the core allows no more. (A pool is one function, whatever its size.)
        Never so many that their batches in flight fill the core's queue (FF131)."""
        slots = min(self.profile.usable_cores, BATCHES_IN_FLIGHT // self.site.window)
        if self.site.strategy != "pool":
            slots = min(slots, FUNCTIONS_PER_GROUP.value - _OTHER_FUNCTIONS)
        if self.site.strategy == "on_demand":
            slots = min(slots, UNPINNED_WORKERS.value)
        if self.isolation == "container" and self.site.strategy != "pool":
            slots = min(slots, self.profile.containers.limit - _OTHER_CONTAINERS)
        return max(1, slots)

    def copies(self) -> tuple[int, Reason]:
        """Copies of the model that run at once."""
        told = self.site.workers
        if told != "auto":
            return told, Reason("workers", str(told), "set in the site", "site: workers")
        return self._gpu_copies() if self.gpus else self._cpu_copies()

    def _gpu_copies(self) -> tuple[int, Reason]:
        told = self.site.copies_per_gpu
        if told != "auto":
            each, why, source = told, "set in the site", "site: copies_per_gpu"
        else:
            each, why, source = self._copies_that_help()
        if self.site.strategy == "on_demand":
            return self._on_demand_copies(len(self.profile.accelerators) * each)
        total = len(self.gpus) * each
        text = f"{each} on each of {len(self.gpus)} GPUs ({why})"
        return total, Reason("workers", str(total), text, source)

    def _on_demand_copies(self, wanted: int) -> tuple[int, Reason]:
        """As many containers as pinned functions would be, but all of them on one GPU."""
        footprint = self.footprint
        room = gpu_capacity(self.profile, self.gpus[0], footprint) if footprint else wanted
        copies = max(1, min(wanted, room, self.slots))
        why = f"pinned would run {wanted}; one function has one GPU, with room for {room}"
        return copies, Reason("workers", str(copies), why, "profile: gpus; footprint")

    def _copies_that_help(self) -> tuple[int, str, str]:
        """A worker decodes ahead while its network runs, so one copy fills a GPU unless the
        transform is the slower stage; then as many copies as hide it, if there is room."""
        ms, footprint, gpus = self.ms, self.footprint, self.gpus
        if footprint is None or ms is None:
            return 1, "a worker decodes ahead while its network runs", "profile: gpus"
        wanted = 1 if self.site.strategy == "decoupled" else math.ceil(ms.transform / ms.inference)
        by_slots = self.slots // len(gpus)
        by_gpu = min(gpu_capacity(self.profile, gpu, footprint) for gpu in gpus)
        by_main = self.profile.usable_memory_kb // self._main_memory_kb(footprint) // len(gpus)
        why = (
            f"transform {ms.transform:g} ms per image, inference {ms.inference:g} ms; room on "
            f"each for {by_gpu}, cores and containers for {by_slots}, main memory for {by_main}"
        )
        each = max(1, min(wanted, by_slots, by_gpu, by_main))
        return each, why, "footprint: ms, gpu_memory_mb; profile: cpu_cores, gpus"

    def _main_memory_kb(self, footprint: Footprint) -> int:
        """Main memory of one copy; an integrated GPU's memory is part of it."""
        shared = any(gpu.shares_memory for gpu in self.gpus)
        return worker_memory_kb(footprint) + (footprint.gpu_memory_mb * 1024 if shared else 0)

    def _cpu_copies(self) -> tuple[int, Reason]:
        profile, slots = self.profile, self.slots
        each_kb, free_kb = worker_memory_kb(self.footprint), profile.usable_memory_kb
        if self.site.strategy == "decoupled":
            transforms = self._transform_share()
            slots -= transforms
            each = TRANSFORM_KB + ring_kb(self.footprint, slots, transforms)
            free_kb -= transforms * each
        if self.site.threads != "auto":
            slots = min(slots, profile.usable_cores // self.site.threads)
        by_memory = free_kb // each_kb
        copies = max(1, min(slots, by_memory))
        why = (
            f"{profile.cpu_cores} cores − {profile.reserved.cores} reserved; cores and containers "
            f"have room for {slots}, memory for {by_memory} of {each_kb} KB"
        )
        source = "profile: cpu_cores, memory_mb, reserved, containers"
        return copies, Reason("workers", str(copies), why, source)

    def transforms(self, copies: int) -> tuple[int, Reason]:
        """Transform functions that feed `copies` workers."""
        told, slots, ms = self.site.transforms, self.slots, self.ms
        if told != "auto":
            return told, Reason("transforms", str(told), "set in the site", "site: transforms")
        if not self.gpus:
            wanted = self._transform_share()
            why = f"{slots} slots shared by the stages' times"
        elif ms is None:
            wanted = copies
            why = "one per worker; a footprint with times would say better"
        else:
            wanted = math.ceil(copies * ms.transform / ms.inference)
            why = f"{wanted} keep {copies} GPU workers fed; {slots} slots, one for each worker"
        value = max(1, min(wanted, slots - copies))
        return value, Reason("transforms", str(value), why, "profile: cpu_cores; footprint: ms")

    def _transform_share(self) -> int:
        """Slots for transforms on a CPU device: by the stages' times, one left at least."""
        ms = self.ms
        share = ms.transform / (ms.transform + ms.inference) if ms else _TRANSFORM_SHARE
        return max(1, min(self.slots - 1, round(self.slots * share)))
