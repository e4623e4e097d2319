"""From what a handler is given to a message: checks what the receiver relies on.

Unknown keys pass through. Items and results stay plain dicts, because they go through
four processes unchanged and 2,000 a second of them leave no time for objects that only
wrap them.
"""

from __future__ import annotations

from typing import Any

from contract.messages.terms import (
    DROPPED_REASONS,
    FAILED_REASONS,
    MAX_DETAIL_CHARS,
    MAX_PATH_BYTES,
    SPLITTER_WORKER,
    Ack,
    Control,
    Done,
    Heartbeat,
    MessageError,
    Pause,
    Payload,
    Ranges,
    Record,
    Work,
)
from contract.messages.wire import decode


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
    to = message.get("to")
    return Work(
        _text(message.get("batch"), "batch", 64),
        attempt,
        items,
        None,
        "" if to is None else _text(to, "to", 64),
        _text(message["volume"], "volume", 64) if message.get("volume") else "",
    )


def parse_done(payload: Payload) -> Done:
    message = decode(payload)
    sync = message.get("sync")
    if sync is not None:
        epoch = _text(sync, "sync", 64)
        return Done(
            "",
            SPLITTER_WORKER,
            "",
            None,
            [],
            epoch,
            _sync_numbers(message),
            str(message.get("run") or "")[:64],
            _runs(message.get("runs")),
        )
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


def _sync_numbers(message: Record) -> dict[str, tuple[int, Ranges]] | None:
    if message.get("next") is None:
        return None
    given = _object(message.get("open"), "open") or {}
    return {
        stream: (next_seq, [_range(pair) for pair in _list(given.get(stream, []), "open")])
        for stream, next_seq in _numbers(message["next"], "next").items()
    }


def _runs(value: Any) -> dict[str, list[tuple[int, str]]]:
    return {
        str(stream): [_run(pair) for pair in _list(runs, "runs")]
        for stream, runs in (_object(value, "runs") or {}).items()
    }


def _run(pair: Any) -> tuple[int, str]:
    if isinstance(pair, list) and len(pair) == 2:
        return _integer(pair[0], "runs", 1), _text(pair[1], "runs", 64)
    raise MessageError("malformed", f"a run is {pair!r:.60}, use [first number, name]")


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
        _numbers(message.get("low_watermark"), "low_watermark"),
        None if epoch is None else _text(epoch, "epoch", 64),
        None if message.get("top") is None else _numbers(message["top"], "top"),
        str(message.get("incarnation") or "")[:64],
        str(message.get("answers") or "")[:64],
        _numbers(message.get("behind"), "behind"),
    )


def parse_heartbeat(payload: Payload) -> Heartbeat:
    message = decode(payload)
    kind = message.get("kind")
    if kind not in ("hello", "heartbeat"):
        raise MessageError("malformed", f"kind is {kind!r:.40}, use hello or heartbeat")
    batches = message.get("batches")
    if batches is not None:
        batches = [_text(b, "batches", 64) for b in _list(batches, "batches")]
    busy_ms = message.get("busy_ms", 0)
    if isinstance(busy_ms, bool) or not isinstance(busy_ms, (int, float)):
        raise MessageError("malformed", f"busy_ms is {busy_ms!r:.40}, use a number")
    if not 0 <= busy_ms < 1e12:
        raise MessageError("malformed", f"busy_ms is {busy_ms!r:.40}, use 0 or more")
    return Heartbeat(
        _text(message.get("worker"), "worker", 64),
        _text(message.get("incarnation"), "incarnation", 64),
        kind,
        _object(message.get("model"), "model"),
        float(busy_ms),
        batches,
        _integer(message.get("done", 0), "done", 0),
        _integer(message.get("failed", 0), "failed", 0),
        _text(message["earlier_end"], "earlier_end", 16) if message.get("earlier_end") else "",
        str(message.get("trouble") or "")[:MAX_DETAIL_CHARS],
        message.get("accelerators") and _accelerators(message["accelerators"]),
    )


def _accelerators(value: Any) -> list[Record]:
    return [_object(each, "accelerators") or {} for each in _list(value, "accelerators")]


def parse_control(payload: Payload) -> Control:
    message = decode(payload)
    drain = message.get("drain")
    if not isinstance(drain, bool):
        raise MessageError("malformed", f"drain is {drain!r:.40}, use true or false")
    workers = message.get("workers")
    if workers is None:
        return Control(drain, None)
    return Control(drain, [_text(w, "workers", 64) for w in _list(workers, "workers")])


def parse_pause(payload: Payload) -> Pause:
    message = decode(payload)
    workers = [_text(w, "pause", 64) for w in _list(message.get("pause"), "pause")]
    return Pause(workers, float(_integer(message.get("seconds"), "seconds", 0)))


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
