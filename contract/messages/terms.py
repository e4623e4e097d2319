"""Limits, reasons and the records that the parsers return (docs/spec/messages.md)."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Tuple, Union

from contract.limits import MESSAGE_BYTES

VERSION = 1
MAX_MESSAGE_BYTES = MESSAGE_BYTES.value
MAX_PATH_BYTES = 1_024
MAX_DETAIL_CHARS = 500

REJECTED_REASONS = frozenset(
    (
        "too_large",
        "not_an_image",
        "unsupported",
        "malformed",
        "unknown_version",
        "outside_volume",
        "not_found",
        "not_a_file",
        "busy",
        "no_space",
        "id_reused",
    )
)
FAILED_REASONS = frozenset(
    (
        "not_an_image",
        "unsupported",
        "truncated",
        "too_large",
        "not_found",
        "not_a_file",
        "outside_volume",
        "changed",
        "model_error",
        "killed_workers",
        "undispatchable",
    )
)
DROPPED_REASONS = frozenset(("quota_oldest", "quota_newest", "operator", "journal_lost"))
SPLITTER_WORKER = "splitter"

Payload = Union[bytes, bytearray, str, Dict[str, Any]]
Record = Dict[str, Any]
Ranges = List[Tuple[int, int]]


class MessageError(ValueError):
    """A payload that is refused; `reason` is one of `REJECTED_REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Work(NamedTuple):
    """A micro-batch, or a probe (`items` empty, `probe` set).

    `to`: the incarnation that it was given to; "": to whoever has the worker's name.
    `volume`: the identity of the images volume that the files are on; "": not told.
    """

    batch: str
    attempt: int
    items: list[Record]
    probe: str | None
    to: str = ""
    volume: str = ""


class Done(NamedTuple):
    """Finished items of one batch, or the splitter's question `sync`.

    `numbers`, with a question: per stream the number that it gives next, and the ranges
    below it that have no committed record as far as it knows; None: it does not know. `run`:
    the name of this start of the splitter, `runs`: per stream the first number of each run
    that it knows of, and the run's name.
    """

    batch: str
    worker: str
    incarnation: str
    model: Record | None
    results: list[Record]
    sync: str | None
    numbers: dict[str, tuple[int, Ranges]] | None = None
    run: str = ""
    runs: dict[str, list[tuple[int, str]]] | None = None


class Ack(NamedTuple):
    """`acks`: per stream the inclusive ranges committed; `low_watermark`: all up to it is.

    `epoch`: whose numbers these are. `incarnation`: of the aggregator. Only in the answer
    to a sync: `answers`, the epoch that asked; `top`, the highest number known per stream;
    `behind`, how many records per stream the splitter saw committed that are not there.
    """

    acks: list[tuple[str, Ranges]]
    low_watermark: dict[str, int]
    epoch: str | None
    top: dict[str, int] | None
    incarnation: str = ""
    answers: str = ""
    behind: dict[str, int] | None = None


class Heartbeat(NamedTuple):
    """`earlier_end`, with hello: the signal that ended the worker's earlier process.

    `trouble`: why it cannot read images now, which is no image's fault; "": it can.
    `accelerators`: the cards that its network runs on, as `docs/spec/messages.md` says.
    """

    worker: str
    incarnation: str
    kind: str
    model: Record | None = None
    busy_ms: float = 0.0
    batches: list[str] | None = None
    done: int = 0
    failed: int = 0
    earlier_end: str = ""
    trouble: str = ""
    accelerators: list[Record] | None = None


#: Reasons of a failed record that speak of the model, not of the image: what judges a model counts
#: these.
MODEL_FAULTS = ("model_error", "killed_workers")


class Pause(NamedTuple):
    """The core asks: no new work for these workers for `seconds`; 0: work again."""

    workers: list[str]
    seconds: float


class Control(NamedTuple):
    """What an operator asks: give these workers (None: all) no new work, or work again."""

    drain: bool
    workers: list[str] | None
