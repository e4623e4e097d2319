"""JSON bytes of one message, its size and its version checked."""

from __future__ import annotations

import json
import math
from json import encoder
from typing import Any, Callable, Iterable

from contract.messages.terms import (
    MAX_MESSAGE_BYTES,
    VERSION,
    MessageError,
    Payload,
    Record,
)


def encode(message: Record) -> bytes:
    """Compact JSON bytes. Raises `MessageError` (`too_large`) above `MAX_MESSAGE_BYTES`."""
    return sized(utf8(dumps(message)))


def sized(payload: bytes) -> bytes:
    """The payload as it is. Raises `MessageError` (`too_large`) above `MAX_MESSAGE_BYTES`."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageError("too_large", _size_detail(len(payload)))
    return payload


def dumps(value: Any) -> str:
    """Compact JSON, non-ASCII as it is: labels in any script cost their own bytes only."""
    try:
        return _encoded(value)
    except ValueError:
        # A network can answer NaN, and `1e999` is valid JSON: neither may stop a part.
        return _encoded(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def utf8(text: str) -> bytes:
    """UTF-8 of JSON text; a lone surrogate becomes its JSON escape instead of an error."""
    return text.encode("utf-8", "backslashreplace")


def _encoder() -> Callable[[Any], str]:
    """`JSONEncoder.encode` makes the C encoder anew for every call, a third of what a record
    costs; where the interpreter has none, or another one, it is used as it is."""
    compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    options = (None, ":", ",", False, False, False)
    try:
        make: Any = getattr(encoder, "c_make_encoder", None)
        encode = make(None, compact.default, encoder.encode_basestring, *options)
        if "".join(encode(_SAMPLE, 0)) == compact.encode(_SAMPLE):
            return lambda value: "".join(encode(value, 0))
    except TypeError:
        pass
    return compact.encode


_SAMPLE = {"ä": [1, 2.5, None, True, '"'], "": {}}
_encoded = _encoder()


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


def _size_detail(size: int) -> str:
    return f"{size} bytes, limit {MAX_MESSAGE_BYTES}: send the image as a file and name it"
