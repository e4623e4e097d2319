"""Why every number of a group is what it is. One reason per value, for all functions that share it.

A number that no line of a file and no measurement explains has no place in a group; a test walks
the rendered document and looks for each one here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infra.planning import sizing
from infra.planning.fields import Footprint
from infra.planning.model import Function, Logger, Reason, SystemFunction
from infra.planning.placement import Placement
from infra.planning.site import Site

_ALLOCATOR = "keeps large buffers on the heap: 1,981 page faults per image without it"
_MEASURED = "measured: planning/threads.py"

# Variable → why, and where its value comes from. Variables with words in them explain themselves.
_VARIABLES: dict[str, tuple[str, str]] = {
    "FANFOLD_WINDOW": ("batches in flight per name, times the copies behind it", "site: window"),
    "FANFOLD_BATCH": ("images per message", "site: batch"),
    "FANFOLD_WORKER_TIMEOUT_S": (
        "time without an answer after which a worker is hung",
        "site: timeouts.worker_s",
    ),
    "FANFOLD_START_TIMEOUT_S": ("a start that takes longer is hung", "site: timeouts.start_s"),
    "FANFOLD_MAX_BACKLOG": ("images accepted before `busy`", "site: backlog.max_images"),
    "FANFOLD_JOURNAL_BYTES": ("disk for accepted images", "site: backlog.journal_bytes"),
    "FANFOLD_CLOUD_BATCH_S": ("age at which a batch is sent", "site: cloud.batch_s"),
    "FANFOLD_MAX_WAIT_S": ("how long a stream waits for a missing image", "site: max_wait_s"),
    "FANFOLD_MAX_HOLD": ("reorder buffer: results per stream", "site: max_hold"),
    "FANFOLD_JOB_LINGER_S": ("a complete job waits for a further camera", "site: job.linger_s"),
    "FANFOLD_OUTBOX_EVERY_S": (
        "age at which an S3 object is written",
        "site: cloud.outbox.every_s",
    ),
    "FANFOLD_OUTBOX_BYTES": ("disk for results without a cloud", "site: cloud.outbox.max_bytes"),
    "FANFOLD_HEALTH_EVERY_S": ("how often a part reports itself", "site: cloud.monitor.every_s"),
    "FANFOLD_POOL_WORKERS": ("processes; auto: one per core, found there", "site: workers"),
    "FANFOLD_GPU_IDS": ("every GPU, dealt round-robin to the processes", "profile: gpus"),
    "FANFOLD_SOURCES": ("address, rate and when a picture is frozen", "site: cameras"),
    "FANFOLD_GPU_UUID": ("this very card, whatever its index is by then", "profile: gpus"),
    "FANFOLD_GPU_UUIDS": ("of FANFOLD_GPU_IDS, in their order", "profile: gpus"),
    "FANFOLD_TENSOR_SLOTS": (
        f"{sizing.TENSORS_PER_WORKER} per inference worker and one being filled; "
        f"{sizing.FEWEST_TENSORS} at least",
        "planning/sizing.py",
    ),
    "FANFOLD_ON_DEMAND": ("containers share one name", "site: strategy"),
    "FANFOLD_CV_THREADS": ("OpenCV's own threads gain nothing", _MEASURED),
    "MALLOC_TRIM_THRESHOLD_": (_ALLOCATOR, _MEASURED),
    "MALLOC_MMAP_THRESHOLD_": (_ALLOCATOR, _MEASURED),
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": ("100 ÷ the copies on the GPU", "site: mps"),
    "GG_CONFIG_MAX_SIZE_BYTES": ("disk for messages to the cloud", "site: spooler.max_size_bytes"),
}


@dataclass(frozen=True, slots=True)
class Reasons:
    """Explains what the planner decided for the functions of one site."""

    placement: Placement
    footprint: Footprint | None

    def all(
        self,
        functions: tuple[Function, ...],
        system: tuple[SystemFunction, ...],
        loggers: tuple[Logger, ...],
    ) -> tuple[Reason, ...]:
        return (
            *_grouped("memory_kb", ((f.id, str(f.memory_kb), *self._memory(f)) for f in functions)),
            *_grouped("timeout_s", ((f.id, str(f.timeout_s), *_timeout(f)) for f in functions)),
            *self._variables(functions),
            *_of_system(system),
            *_of_loggers(loggers),
        )

    def _memory(self, function: Function) -> tuple[str, str]:
        role, footprint = function.role, self.footprint
        if role == "transform":
            why = f"{sizing.TRANSFORM_KB} KB to decode in, and its ring of tensors"
            return why, "planning/sizing.py; footprint: input_kb"
        if role not in {"inference", "pool"}:
            why = f"what the {role} holds at its fullest, with headroom"
            return why, "planning/sizing.py"
        times = f"{function.processes} × " if role == "pool" else ""
        if footprint is None:
            why = f"{times}{sizing.DEFAULT_WORKER_KB} KB, as no footprint is known"
            return why, "AWS's example of a GPU Lambda with MXNet"
        why = f"{times}({footprint.memory_kb} KB × {sizing.HEADROOM:g} + {sizing.BUFFERS_KB} KB)"
        if function.shared_kb:
            why += f" + {function.shared_kb} KB of rings, shared by all"
        return why, "footprint: memory_kb"

    def _variables(self, functions: tuple[Function, ...]) -> Iterator[Reason]:
        for name in sorted({name for each in functions for name in each.environment}):
            said = self._variable(name)
            if said is None:
                continue
            having = [each for each in functions if name in each.environment]
            yield from _grouped(name, ((f.id, f.environment[name], *said) for f in having))

    def _variable(self, name: str) -> tuple[str, str] | None:
        if name == "GPU_ID":
            copies = len(self.placement.places)
            on_cpu = not self.placement.accelerators
            why = "no GPU: -1 is the CPU" if on_cpu else f"{copies} copies dealt round-robin"
            return why, "profile: gpus"
        if name == "OMP_NUM_THREADS":
            [reason] = [r for r in self.placement.reasons if r.subject == "threads per worker"]
            return reason.why, reason.source
        return _VARIABLES.get(name)


def of_trials(site: Site) -> Iterator[Reason]:
    """Printed by a plan, defaults too: they decide what a deployment becomes."""
    trial, canary = site.trial, site.canary
    said = f"at most {trial.max_failed:.0%} of {trial.images} images failed"
    yield Reason(
        "trial",
        said if trial.images else "none",
        "else the core goes back to the deployment before",
        "site: trial",
    )
    if canary is not None:
        yield Reason(
            "canary",
            f"{canary.images} images on {canary.workers} worker(s): at most "
            f"{canary.max_disagreement:.1%} disagreement, {canary.max_slowdown:g} times the time, "
            f"within {canary.limit_s} s",
            "else a new model is refused and the old one serves on",
            "site: canary",
        )


def _timeout(function: Function) -> tuple[str, str]:
    key = "handler_s" if function.role in {"splitter", "aggregator", "grabber"} else "worker_s"
    return "one call of the handler, a probe included", f"site: timeouts.{key}"


def _of_system(functions: tuple[SystemFunction, ...]) -> Iterator[Reason]:
    for function in functions:
        source = "AWS's documented shape"
        yield Reason(f"{function.id} memory_kb", str(function.memory_kb), "as documented", source)
        yield Reason(f"{function.id} timeout_s", str(function.timeout_s), "as documented", source)
        for name, value in function.environment.items():
            if name in _VARIABLES:
                yield Reason(f"{function.id} {name}", value, *_VARIABLES[name])


def _of_loggers(loggers: tuple[Logger, ...]) -> Iterator[Reason]:
    ids = [logger.id for logger in loggers if logger.space_kb is not None]
    for space in {logger.space_kb for logger in loggers if logger.space_kb is not None}:
        why = "disk for the log files"
        yield Reason(f"{_joined(ids)} space_kb", str(space), why, "site: logging.space_kb")


def _grouped(name: str, said: Iterable[tuple[str, str, str, str]]) -> Iterator[Reason]:
    """(function id, value, why, source) → one reason for all functions that share the rest."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for function_id, *reason in said:
        value, why, source = reason
        groups.setdefault((value, why, source), []).append(function_id)
    for (value, why, source), ids in groups.items():
        yield Reason(f"{_joined(ids)} {name}", value, why, source)


def _joined(ids: list[str]) -> str:
    """`w0…w3` for a long row of workers."""
    return ", ".join(ids) if len(ids) <= 2 else f"{ids[0]}…{ids[-1]}"
