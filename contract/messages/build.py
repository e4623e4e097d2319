"""Messages and results as one part writes them for another."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from contract.messages.terms import (
    DROPPED_REASONS,
    FAILED_REASONS,
    MAX_DETAIL_CHARS,
    MAX_MESSAGE_BYTES,
    VERSION,
    Heartbeat,
    Record,
)
from contract.messages.wire import dumps, encode, pack, sized, utf8


def sync_message(
    epoch: str,
    numbers: dict[str, tuple[int, list[list[int]]]] | None = None,
    run: str = "",
    runs: Mapping[str, Any] | None = None,
) -> bytes:
    """`run`, `runs`: as in `Done`."""
    message: Record = {"v": VERSION, "sync": epoch, "run": run, "runs": runs or {}}
    if numbers is not None:
        message["next"] = {stream: next_seq for stream, (next_seq, _) in numbers.items()}
        message["open"] = {stream: ranges for stream, (_, ranges) in numbers.items() if ranges}
    return encode(message)


def ack_message(
    epoch: str | None,
    acks: dict[str, list[list[int]]],
    low_watermark: dict[str, int],
    top: dict[str, int] | None = None,
    **more: Any,
) -> bytes:
    """`more`: `incarnation`, `answers` and `behind` of an `Ack`, where they say something."""
    message: Record = {"v": VERSION, "epoch": epoch, "low_watermark": low_watermark}
    message["acks"] = [{"stream": s, "ranges": ranges} for s, ranges in acks.items()]
    if top is not None:
        message["top"] = top
    message.update((key, value) for key, value in more.items() if value)
    return encode(message)


def work_message(
    batch: str, attempt: int, items: Sequence[Record | str], to: str = "", volume: str = ""
) -> bytes:
    """`items`: each as it is, or as the JSON text of it. Raises `MessageError` (`too_large`)."""
    head: Record = {"v": VERSION, "batch": batch, "attempt": attempt}
    if to:
        head["to"] = to
    if volume:
        head["volume"] = volume
    texts = ",".join([item if isinstance(item, str) else dumps(item) for item in items])
    return sized(utf8(f'{dumps(head)[:-1]},"items":[{texts}]}}'))


def probe_message(probe: str) -> bytes:
    return encode({"v": VERSION, "probe": probe})


def hello_message(
    worker: str,
    incarnation: str,
    model: Record | None,
    earlier_end: str = "",
    accelerators: Sequence[Record] = (),
) -> bytes:
    message: Record = {"v": VERSION, "worker": worker, "incarnation": incarnation, "kind": "hello"}
    if model:
        message["model"] = model
    if earlier_end:
        message["earlier_end"] = earlier_end
    if accelerators:
        message["accelerators"] = list(accelerators)
    return encode(message)


def heartbeat_message(heartbeat: Heartbeat) -> bytes:
    """A heartbeat; `heartbeat.kind` must be "heartbeat"."""
    message = dict(heartbeat._asdict(), v=VERSION, busy_ms=round(heartbeat.busy_ms))
    return encode({key: value for key, value in message.items() if value not in (None, "")})


# What a result repeats of its item, so that the aggregator needs nobody else's memory.
ECHOED = (
    "stream", "seq", "id", "file", "job", "last", "low", "ts", "t_in", "attempt", "sha256",
    "damage", "region",
)  # fmt: skip


def result_ok(item: Record, task: str, output: Record, ms: Record) -> Record:
    """The result of one work item that the model has seen."""
    result = {key: item[key] for key in ECHOED if key in item}
    result.update(status="ok", task=task, output=output, ms=ms)
    return result


def result_failed(item: Record, reason: str, detail: str, ms: Record | None = None) -> Record:
    """The terminal record of an item that no attempt can help; `reason` is in FAILED_REASONS."""
    if reason not in FAILED_REASONS:
        raise ValueError(f"{reason!r} is not a reason to fail; use one of {sorted(FAILED_REASONS)}")
    result = {key: item[key] for key in ECHOED if key in item}
    result.update(status="failed", reason=reason, detail=detail[:MAX_DETAIL_CHARS])
    if ms:
        result["ms"] = ms
    return result


def result_dropped(item: Record, reason: str) -> Record:
    """The terminal record of an item that a quota or an operator took."""
    if reason not in DROPPED_REASONS:
        raise ValueError(f"{reason!r} is not a reason to drop; use {sorted(DROPPED_REASONS)}")
    result = {key: item[key] for key in ECHOED if key in item}
    result.update(status="dropped", reason=reason)
    return result


def done_messages(
    batch: str, worker: str, incarnation: str, model: Record | None, results: Iterable[Record]
) -> list[bytes]:
    """One message where the results fit, several where they do not.

    A single result above the limit becomes a `failed` record (`too_large`): an item
    always ends, even where its output cannot travel.
    """
    head: Record = {"v": VERSION, "batch": batch, "worker": worker, "incarnation": incarnation}
    if model:
        head["model"] = model
    opening = dumps(head)[:-1] + ',"results":['
    room = MAX_MESSAGE_BYTES - len(utf8(opening)) - len("]}")
    results = list(results)
    together = dumps(results)[1:-1]
    if len(utf8(together)) <= room:
        return [utf8(opening + together + "]}")] if results else []
    bodies = []
    for result in results:
        body = dumps(result)
        size = len(utf8(body))
        if size > room:
            body = dumps(result_failed(result, "too_large", f"the result has {size} bytes"))
        bodies.append(body)
    return [utf8(opening + joined + "]}") for joined in pack(bodies, room)]


def to_ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Sorted inclusive ranges: 1, 2, 3, 5 → [[1, 3], [5, 5]]."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number <= ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges
