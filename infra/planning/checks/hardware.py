"""The plan fits the device: GPUs, memory, cores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from infra.planning.checks.rule import Broken, rule
from infra.planning.model import Function, Plan
from infra.planning.placement import deal, gpu_capacity
from infra.planning.sizing import SHARED_MEMORY_SHARE

_DESIGN = "the article, option 1A"
_MEASURED = "measured; see infra/planning/threads.py"


def _gpu_copies(plan: Plan) -> Counter[str]:
    """Copies of the model on each GPU. A pool deals its processes itself, round-robin."""
    counts: Counter[str] = Counter()
    for worker in plan.workers:
        used = tuple(gpu for gpu in plan.profile.accelerators if gpu.id in worker.gpus)
        counts.update(gpu.id for gpu in deal(worker.processes, used) if gpu is not None)
        # A group that somebody else made may name a card that the profile does not have.
        counts.update(dict.fromkeys(set(worker.gpus) - {gpu.id for gpu in used}, 1))
    return counts


@rule("FF110", "error", _DESIGN)
def every_gpu_works(plan: Plan) -> Iterator[Broken]:
    """GPU_IDs cover every GPU of the profile, evenly: counts differ by one copy at most.
    (`on_demand` cannot: see FF201.)"""
    if plan.site.strategy == "on_demand" or not plan.profile.accelerators:
        return
    counts = _gpu_copies(plan)
    every = [gpu.id for gpu in plan.profile.accelerators]
    subject = f"site {plan.site.name}"
    idle = [each for each in every if not counts[each]]
    if idle:
        yield (
            subject,
            f"{plan.copies} workers leave GPU {', '.join(idle)} idle.",
            f"Set workers to at least {len(every)}, or remove the GPU from the profile.",
        )
    elif max(counts.values()) - min(counts.values()) > 1:
        yield subject, f"copies per GPU are uneven: {dict(counts)}.", "Deal them round-robin."
    unknown = sorted(set(counts) - set(every))
    if unknown:
        yield subject, f"GPU {unknown} is not in the profile.", "Add it to the profile's gpus."


@rule("FF111", "error", "profile: gpus, reserved.gpu_memory_mb; footprint: gpu_memory_mb")
def copies_fit_gpu(plan: Plan) -> Iterator[Broken]:
    """The copies of the model on a GPU fit its memory."""
    footprint, profile = plan.footprint, plan.profile
    if footprint is None or not footprint.gpu_memory_mb:
        return
    counts = _gpu_copies(plan)
    for gpu in profile.accelerators:
        copies, room = counts[gpu.id], gpu_capacity(profile, gpu, footprint)
        if copies <= room:
            continue
        need = copies * footprint.gpu_memory_mb
        free = max(0, gpu.memory_mb - profile.reserved.gpu_memory_mb)
        yield (
            f"{gpu.name} of profile {profile.name}",
            f"{copies} model copies × {footprint.gpu_memory_mb} MB = {need} MB, {free} MB "
            f"available ({gpu.memory_mb} − {profile.reserved.gpu_memory_mb} reserved).",
            f"Use at most {room} copies per GPU (copies_per_gpu, workers)."
            if room
            else "Use a smaller model or a bigger GPU.",
        )


@rule("FF112", "error", "profile: memory_mb, reserved.memory_mb; footprint: memory_kb")
def memory_fits(plan: Plan) -> Iterator[Broken]:
    """The functions that compute or decode, with GPU memory that is shared, fit the device's
    memory less what is reserved."""
    profile = plan.profile
    computing = plan.by_role("transform", "inference", "pool", "grabber")
    total_kb = sum(_memory_kb(each) for each in computing)
    if plan.footprint and any(gpu.shares_memory for gpu in profile.accelerators):
        total_kb += plan.copies * plan.footprint.gpu_memory_mb * 1024
    if total_kb > profile.usable_memory_kb:
        yield (
            f"profile {profile.name}",
            f"{plan.copies} workers take {total_kb} KB, {profile.usable_memory_kb} KB available "
            f"({profile.memory_mb} MB − {profile.reserved.memory_mb} reserved).",
            f"Use fewer than {plan.copies} workers, or a smaller model.",
        )


def _memory_kb(function: Function) -> int:
    """An on-demand function takes its memory once per container; a pool's has all in it."""
    containers = function.processes if not function.pinned else 1
    return (function.memory_kb - function.shared_kb) * containers


@rule("FF116", "error", "profile: shared_memory_mb")
def rings_fit_shared_memory(plan: Plan) -> Iterator[Broken]:
    """The rings of strategy decoupled fit /dev/shm: as large as the profile says, else half of
    the main memory, which is Linux's default."""
    profile, need_kb = plan.profile, plan.rings_kb
    told = profile.shared_memory_mb
    share = int(profile.memory_mb * SHARED_MEMORY_SHARE)
    room_mb = share if told is None else told
    if need_kb > room_mb * 1024:
        transforms = len(plan.by_role("transform"))
        yield (
            f"profile {profile.name}",
            f"{transforms} transforms keep {-(-need_kb // 1024)} MB of tensors in /dev/shm, "
            f"{room_mb} MB available.",
            "Enlarge /dev/shm and shared_memory_mb, lower transforms, or use strategy: pinned.",
        )


@rule("FF113", "error", _MEASURED)
def threads_fit(plan: Plan) -> Iterator[Broken]:
    """Workers × threads, and transforms, are at most the device's cores."""
    computing = plan.by_role("transform", "inference", "pool")
    total = sum(each.processes * each.threads for each in computing)
    cores = plan.profile.cpu_cores
    if total > cores:
        transforms = len(plan.by_role("transform"))
        each = plan.workers[0].threads
        also = f" + {transforms} transforms" if transforms else ""
        yield (
            f"profile {plan.profile.name}",
            f"{plan.copies} workers × {each} threads{also} = {total}, {cores} cores available.",
            "Lower workers, threads or transforms in the site.",
        )


@rule("FF114", "error", "docs/spec/profile-and-site.md")
def gpu_files_known(plan: Plan) -> Iterator[Broken]:
    """A GPU that a container uses has device files in the profile."""
    if plan.isolation == "none":
        return
    for gpu in plan.profile.accelerators:
        if not gpu.devices and not plan.profile.devices:
            yield (
                f"{gpu.name} of profile {plan.profile.name}",
                "has no device file, so no container sees it.",
                "List them in gpus[].devices and devices, e.g. /dev/nvidia0.",
            )


@rule("FF115", "warning", "https://docs.nvidia.com/deploy/mps/")
def mps_makes_sense(plan: Plan) -> Iterator[Broken]:
    """MPS needs several copies on a discrete GPU, and an IPC namespace that they share."""
    if not plan.site.mps:
        return
    subject = f"site {plan.site.name}"
    if not plan.profile.accelerators:
        yield subject, "mps: true on a device without a GPU.", "Remove mps."
    elif any(gpu.shares_memory for gpu in plan.profile.accelerators):
        yield subject, "mps: true on an integrated GPU, which has no MPS.", "Remove mps."
    elif plan.isolation == "container":
        yield (
            subject,
            "mps: true with containers, each of which has its own IPC namespace.",
            "Set isolation: none.",
        )
