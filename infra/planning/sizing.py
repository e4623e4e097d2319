"""Our own numbers: what a part needs where nobody measured it. Not quotas; those are limits."""

from __future__ import annotations

import math

from contract.limits import WORK_ITEMS
from infra.planning.fields import Footprint

# AWS's own example of a containerised GPU Lambda with MXNet gives it 900,000 KB.
DEFAULT_WORKER_KB = 900_000
# Decoded frames, buffers, the interpreter's own growth: on top of the measured footprint.
HEADROOM = 1.25
BUFFERS_KB = 65_536
TRANSFORM_KB = 262_144
SPLITTER_KB = 131_072
AGGREGATOR_KB = 98_304
GRABBER_KB = 65_536
# A process with OpenCV and FFmpeg: 107 MB with a 1080p H.264 stream, more for 4K.
CAMERA_KB = 196_608
REORDER_BUFFER_KB = 32_768  # 10,000 records of one stream as Python objects
OUTBOX_KB = 65_536  # boto3
AGGREGATOR_MAX_KB = 1_048_576
SYSTEM_KB = 32_768
# Strategy decoupled. The article's SSD takes 1 × 3 × 512 × 512 floats.
DEFAULT_INPUT_KB = 3_072
# Beside each tensor: what it is of, and padding.
TENSOR_NOTE_KB = 64
FEWEST_TENSORS = 4
# One in the network, one that waits for it, one whose result is on its way.
TENSORS_PER_WORKER = 3
# tmpfs's own default (https://www.kernel.org/doc/html/latest/filesystems/tmpfs.html).
SHARED_MEMORY_SHARE = 0.5
# A batch in flight is a work item, then a `done`, then an `ack`.
WORK_ITEMS_PER_BATCH = 3
# The other half of the core's queue is for cameras, results, heartbeats and whoever else.
WORK_ITEMS_SHARE = 0.5
BATCHES_IN_FLIGHT = int(WORK_ITEMS.value * WORK_ITEMS_SHARE) // WORK_ITEMS_PER_BATCH
# Less than this for a process that imports numpy is a footprint in the wrong unit.
SANE_MEMORY_KB = 16_384


def worker_memory_kb(footprint: Footprint | None) -> int:
    """Memory of one process that holds one copy of the model."""
    if footprint is None:
        return DEFAULT_WORKER_KB
    return math.ceil(footprint.memory_kb * HEADROOM) + BUFFERS_KB


def tensor_slots(copies: int, transforms: int) -> int:
    """Inputs of the network that one transform function has room for: those that keep its
    share of the workers busy, and one that is being filled."""
    return max(FEWEST_TENSORS, math.ceil(TENSORS_PER_WORKER * copies / transforms) + 1)


def ring_kb(footprint: Footprint | None, copies: int, transforms: int) -> int:
    """Shared memory of one transform function."""
    input_kb = (footprint.input_kb if footprint else 0) or DEFAULT_INPUT_KB
    return tensor_slots(copies, transforms) * (input_kb + TENSOR_NOTE_KB) + TENSOR_NOTE_KB


def aggregator_memory_kb(streams: int, outbox: bool) -> int:
    """All streams held back to their limit at once; capped, as a thousand streams never are."""
    return min(AGGREGATOR_KB + streams * REORDER_BUFFER_KB + outbox * OUTBOX_KB, AGGREGATOR_MAX_KB)
