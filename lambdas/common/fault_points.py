"""Named points at which a test may kill the process, as a power cut would.

`FANFOLD_FAULT_POINT=name[:nth]` makes the nth pass through `fault(name)` end the process
with SIGKILL. Unset, which is how it ships, a point costs one comparison.
"""

from __future__ import annotations

import os
import signal

POINTS = frozenset(
    (
        "splitter.before_commit",
        "splitter.after_commit",
        "splitter.after_dispatch",
        "splitter.after_accepted",
        "splitter.before_forget",
        "aggregator.before_commit",
        "aggregator.after_commit",
        "aggregator.after_ack",
        "aggregator.after_publish",
        "aggregator.after_cloud",
        "outbox.before_upload",
        "outbox.after_upload",
    )
)
#: The same on the way of a tensor (strategy `decoupled`).
TENSOR_POINTS = frozenset(
    (
        "transform.before_offer",
        "transform.after_offer",
        "transform.after_finish",
        "inference.after_claim",
        "inference.after_answer",
        "inference.before_publish",
        "inference.after_publish",
    )
)


def _armed(value: str) -> tuple[str, int]:
    name, _, nth = value.partition(":")
    known = POINTS | TENSOR_POINTS
    if name and name not in known:
        raise ValueError(f"FANFOLD_FAULT_POINT={value!r}: use one of {', '.join(sorted(known))}")
    return name, int(nth or 1)


_name, _left = _armed(os.environ.get("FANFOLD_FAULT_POINT", ""))


def fault(name: str) -> None:
    """Die here if the environment says so."""
    global _left  # noqa: PLW0603 - one counter per process is the point
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
