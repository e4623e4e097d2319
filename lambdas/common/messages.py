"""The messages between Fanfold's parts: parse, check, build (docs/spec/messages.md).

Parsers take what a Lambda's handler is given, `bytes` or an object that the core has
already decoded, and raise `MessageError`. They check what the receiver relies on and
keep the rest: unknown keys pass through. Items and results stay plain dicts, because
they go through four processes unchanged and 2,000 a second of them leave no time for
objects that only wrap them.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict, Iterable, List, NamedTuple, Tuple, Union

VERSION = 1
# AWS IoT Core's limit for one message, which Greengrass V1 keeps for devices
# (docs.aws.amazon.com/general/latest/gr/greengrass.html, "message size").
MAX_MESSAGE_BYTES = 131_072
MAX_PATH_BYTES = 1_024
MAX_DETAIL_CHARS = 500

REJECTED_REASONS = frozenset(
    (
        "too_large",
        "not_an_image",
        "malformed",
        "unknown_version",
        "outside_volume",
        "not_found",
        "not_a_file",
        "busy",
        "no_space",
    )
)
FAILED_REASONS = frozenset(
    (
        "not_an_image",
        "truncated",
        "too_large",
        "not_found",
        "not_a_file",
        "outside_volume",
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
    """A micro-batch, or a probe (`items` empty, `probe` set)."""

    batch: str
    attempt: int
    items: list[Record]
    probe: str | None


class Done(NamedTuple):
    """Finished items of one batch, or the splitter's question `sync`."""

    batch: str
    worker: str
    incarnation: str
    model: Record | None
    results: list[Record]
    sync: str | None


class Ack(NamedTuple):
    """`acks`: per stream the inclusive ranges committed; `floor`: all up to it is.

    `epoch`: whose numbers these are. `top`, only in the answer to a sync: the highest
    number known per stream.
    """

    acks: list[tuple[str, Ranges]]
    floor: dict[str, int]
    epoch: str | None
    top: dict[str, int] | None


class Beat(NamedTuple):
    worker: str
    incarnation: str
    kind: str
    model: Record | None = None
    busy_ms: float = 0.0
    batches: list[str] | None = None
    done: int = 0
    failed: int = 0


class Control(NamedTuple):
    """What an operator asks: give these workers (None: all) no new work, or work again."""

    drain: bool
    workers: list[str] | None


def encode(message: Record) -> bytes:
    """Compact JSON bytes. Raises `MessageError` (`too_large`) above `MAX_MESSAGE_BYTES`."""
    payload = utf8(dumps(message))
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageError("too_large", _size_detail(len(payload)))
    return payload


def dumps(value: Any) -> str:
    """Compact JSON, non-ASCII as it is: labels in any script cost their own bytes only."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        # A network can answer NaN, and `1e999` is valid JSON: neither may stop a part.
        return _ENCODER.encode(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def utf8(text: str) -> bytes:
    """UTF-8 of JSON text; a lone surrogate becomes its JSON escape instead of an error."""
    return text.encode("utf-8", "backslashreplace")


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def decode(payload: Payload) -> Record:
    """The JSON object in `payload`, its size and its `v` checked."""
    message: Any = payload
    # The core decodes JSON itself for functions of encoding type `json`: a list, a number
    # or null then arrives as such.
    if isinstance(payload, (bytes, bytearray, str)):
        if len(payload) > MAX_MESSAGE_BYTES:
            raise MessageError("too_large", _size_detail(len(payload)))
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise MessageError("malformed", f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise MessageError("malformed", "not a JSON object")
    version = message.get("v")
    if version != VERSION or isinstance(version, bool):
        raise MessageError("unknown_version", f"v is {version!r:.40}, this part knows {VERSION}")
    return message


def parse_work(payload: Payload) -> Work:
    message = decode(payload)
    probe = message.get("probe")
    if probe is not None:
        return Work("", 0, [], _text(probe, "probe", 64))
    items = _list(message.get("items"), "items")
    for item in items:
        _check_keyed(item)
        _text(item.get("file"), "file", MAX_PATH_BYTES)
    if not items:
        raise MessageError("malformed", "neither items nor probe")
    attempt = _integer(message.get("attempt", 1), "attempt", 1)
    return Work(_text(message.get("batch"), "batch", 64), attempt, items, None)


def parse_done(payload: Payload) -> Done:
    message = decode(payload)
    sync = message.get("sync")
    if sync is not None:
        return Done("", SPLITTER_WORKER, "", None, [], _text(sync, "sync", 64))
    results = _list(message.get("results"), "results")
    for result in results:
        _check_keyed(result)
        _check_status(result)
    return Done(
        _text(message.get("batch"), "batch", 64),
        _text(message.get("worker"), "worker", 64),
        _text(message.get("incarnation", "-"), "incarnation", 64),
        _object(message.get("model"), "model"),
        results,
        None,
    )


def parse_ack(payload: Payload) -> Ack:
    message = decode(payload)
    acks = []
    for entry in _list(message.get("acks", []), "acks"):
        acked = _object(entry, "acks") or {}
        ranges = [_range(pair) for pair in _list(acked.get("ranges"), "ranges")]
        acks.append((_text(acked.get("stream"), "stream", 64), ranges))
    epoch = message.get("epoch")
    return Ack(
        acks,
        _numbers(message.get("floor"), "floor"),
        None if epoch is None else _text(epoch, "epoch", 64),
        None if message.get("top") is None else _numbers(message["top"], "top"),
    )


def parse_beat(payload: Payload) -> Beat:
    message = decode(payload)
    kind = message.get("kind")
    if kind not in ("hello", "beat"):
        raise MessageError("malformed", f"kind is {kind!r:.40}, use hello or beat")
    batches = message.get("batches")
    if batches is not None:
        batches = [_text(b, "batches", 64) for b in _list(batches, "batches")]
    busy_ms = message.get("busy_ms", 0)
    if isinstance(busy_ms, bool) or not isinstance(busy_ms, (int, float)):
        raise MessageError("malformed", f"busy_ms is {busy_ms!r:.40}, use a number")
    if not 0 <= busy_ms < 1e12:
        raise MessageError("malformed", f"busy_ms is {busy_ms!r:.40}, use 0 or more")
    return Beat(
        _text(message.get("worker"), "worker", 64),
        _text(message.get("incarnation"), "incarnation", 64),
        kind,
        _object(message.get("model"), "model"),
        float(busy_ms),
        batches,
        _integer(message.get("done", 0), "done", 0),
        _integer(message.get("failed", 0), "failed", 0),
    )


def parse_control(payload: Payload) -> Control:
    message = decode(payload)
    drain = message.get("drain")
    if not isinstance(drain, bool):
        raise MessageError("malformed", f"drain is {drain!r:.40}, use true or false")
    workers = message.get("workers")
    if workers is None:
        return Control(drain, None)
    return Control(drain, [_text(w, "workers", 64) for w in _list(workers, "workers")])


def sync_message(epoch: str) -> bytes:
    return encode({"v": VERSION, "sync": epoch})


def ack_message(
    epoch: str | None,
    acks: dict[str, list[list[int]]],
    floor: dict[str, int],
    top: dict[str, int] | None = None,
) -> bytes:
    message: Record = {"v": VERSION, "epoch": epoch, "floor": floor}
    message["acks"] = [{"stream": s, "ranges": ranges} for s, ranges in acks.items()]
    if top is not None:
        message["top"] = top
    return encode(message)


def work_message(batch: str, attempt: int, items: list[Record]) -> bytes:
    return encode({"v": VERSION, "batch": batch, "attempt": attempt, "items": items})


def probe_message(probe: str) -> bytes:
    return encode({"v": VERSION, "probe": probe})


def hello_message(worker: str, incarnation: str, model: Record | None) -> bytes:
    message = {"v": VERSION, "worker": worker, "incarnation": incarnation, "kind": "hello"}
    if model:
        message["model"] = model
    return encode(message)


def beat_message(beat: Beat) -> bytes:
    """A heartbeat; `beat.kind` must be "beat", the model is told by hello alone."""
    message = dict(beat._asdict(), v=VERSION, busy_ms=round(beat.busy_ms))
    return encode({key: value for key, value in message.items() if value is not None})


# What a result repeats of its item, so that the aggregator needs nobody else's memory.
ECHOED = ("stream", "seq", "id", "file", "job", "last", "low", "ts", "t_in", "attempt")


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
    bodies = []
    for result in results:
        body = dumps(result)
        size = len(utf8(body))
        if size > room:
            body = dumps(result_failed(result, "too_large", f"the result has {size} bytes"))
        bodies.append(body)
    return [utf8(opening + joined + "]}") for joined in pack(bodies, room)]


def pack(bodies: Iterable[str], room: int) -> Iterable[str]:
    """Join JSON texts with commas, in order, into pieces of at most `room` bytes of UTF-8."""
    piece: list[str] = []
    used = 0
    for body in bodies:
        size = len(utf8(body)) + 1
        if piece and used + size - 1 > room:
            yield ",".join(piece)
            piece, used = [], 0
        piece.append(body)
        used += size
    if piece:
        yield ",".join(piece)


def to_ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Sorted inclusive ranges: 1, 2, 3, 5 → [[1, 3], [5, 5]]."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number <= ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _check_keyed(item: Any) -> None:
    if not isinstance(item, dict):
        raise MessageError("malformed", "an item is not an object")
    _text(item.get("stream"), "stream", 64)
    _integer(item.get("seq"), "seq", 1)
    _integer(item.get("low", 1), "low", 1)


def _check_status(result: Record) -> None:
    status = result.get("status")
    if status == "ok":
        return
    allowed = {"failed": FAILED_REASONS, "dropped": DROPPED_REASONS}.get(str(status))
    if allowed is None:
        raise MessageError("malformed", f"status is {status!r:.40}, use ok, failed or dropped")
    if result.get("reason") not in allowed:
        raise MessageError("malformed", f"reason {result.get('reason')!r:.40} of {status}")


def _text(value: Any, name: str, limit: int) -> str:
    if isinstance(value, str) and 0 < len(value) <= limit:
        return value
    raise MessageError("malformed", f"{name} is {value!r:.60}, use 1 to {limit} characters")


def _integer(value: Any, name: str, low: int) -> int:
    # The bound keeps numbers inside SQLite's and JSON readers' 64 bits.
    if isinstance(value, int) and not isinstance(value, bool) and low <= value < 1 << 53:
        return value
    raise MessageError("malformed", f"{name} is {value!r:.40}, use a number from {low}")


def _list(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise MessageError("malformed", f"{name} is not a list")


def _object(value: Any, name: str) -> Record | None:
    if value is None or isinstance(value, dict):
        return value
    raise MessageError("malformed", f"{name} is not an object")


def _range(pair: Any) -> tuple[int, int]:
    if isinstance(pair, (list, tuple)) and len(pair) == 2:
        first, last = _integer(pair[0], "range", 1), _integer(pair[1], "range", 1)
        if first <= last:
            return first, last
    raise MessageError("malformed", f"range is {pair!r:.60}, use [first, last]")


def _numbers(value: Any, name: str) -> dict[str, int]:
    return {str(k): _integer(v, name, 0) for k, v in (_object(value, name) or {}).items()}


def _size_detail(size: int) -> str:
    return f"{size} bytes, limit {MAX_MESSAGE_BYTES}: send the image as a file and name it"
