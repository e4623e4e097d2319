"""Local thing shadows, as GGShadowService keeps them: state, metadata, version, delta.

Pure but for the store, which writes each document whole (temporary file, rename).
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_DOCUMENT_BYTES = 8_192
"""AWS IoT's limit of a shadow's state document (8 KB)."""
MAX_DEPTH = 6
MAX_TOKEN_BYTES = 64
"""AWS IoT's limit of a ``clientToken``."""
_TOPIC = re.compile(r"\$aws/things/([A-Za-z0-9:_-]{1,128})/shadow/(get|update|delete)\Z")

Json = dict[str, Any]
Answer = tuple[Json, dict[str, Json]]
"""What ``accepted`` says, and what else is published, by the last word of its topic."""


class ShadowError(Exception):
    """An answer with ``code`` and ``message``, as AWS IoT gives it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_topic(topic: str) -> tuple[str, str] | None:
    """(thing name, operation) of a shadow request topic."""
    found = _TOPIC.match(topic)
    return (found[1], found[2]) if found else None


def merge(old: Json, change: Json) -> Json:
    """``change`` over ``old``; null removes a key, objects merge, all else replaces."""
    merged = dict(old)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def delta(desired: Json, reported: Json) -> Json:
    """What is desired and not reported so."""
    different: Json = {}
    for key, value in desired.items():
        known = reported.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            below = delta(value, known)
            if below:
                different[key] = below
        elif key not in reported or known != value:
            different[key] = value
    return different


def stamps_of(different: Json, metadata: Json) -> Json:
    """The part of ``metadata`` that speaks of the keys of a delta."""
    return {
        key: stamps_of(value, metadata.get(key, {}))
        if isinstance(value, dict) and "timestamp" not in metadata.get(key, {})
        else metadata.get(key, {})
        for key, value in different.items()
    }


def _stamp(value: Any, now: int) -> Any:
    if isinstance(value, dict):
        return {k: _stamp(v, now) for k, v in value.items() if v is not None}
    return {"timestamp": now}


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value.values()), default=0) if isinstance(value, dict) else 0


def parse_update(payload: bytes) -> Json:
    """Raises ShadowError in AWS IoT's codes: 400 malformed, 413 too large."""
    if len(payload) > MAX_DOCUMENT_BYTES:
        raise ShadowError(413, f"The payload exceeds the maximum size of {MAX_DOCUMENT_BYTES}")
    try:
        change = json.loads(payload)
    except (ValueError, RecursionError):
        raise ShadowError(400, "Invalid JSON") from None
    if not isinstance(change, dict) or not isinstance(change.get("state"), dict):
        raise ShadowError(400, "Missing required node: state")
    _refuse_token(change)
    sections = change["state"]
    for name, section in sections.items():
        if name not in ("desired", "reported"):
            raise ShadowError(400, f"State contains an invalid node: '{name}'")
        if section is not None and not isinstance(section, dict):
            raise ShadowError(400, f"State node '{name}' must be an object")
        if _depth(section) > MAX_DEPTH:
            raise ShadowError(400, f"State is nested deeper than {MAX_DEPTH} levels")
    return change


def client_token(payload: bytes) -> Json:
    """``{"clientToken": …}`` of any request, for its answers; ``{}`` where it has none.

    A request that is no JSON has none, and is refused or taken for what it is elsewhere.
    """
    try:
        request = json.loads(payload or b"{}")
    except (ValueError, RecursionError):
        return {}
    token = request.get("clientToken") if isinstance(request, dict) else None
    return {"clientToken": token} if isinstance(token, str) else {}


def _refuse_token(request: Json) -> None:
    token = request.get("clientToken", "")
    if not isinstance(token, str) or len(token.encode()) > MAX_TOKEN_BYTES:
        raise ShadowError(400, f"clientToken must be text of at most {MAX_TOKEN_BYTES} bytes")


def apply_update(document: Json | None, change: Json, now: int) -> Json:
    """The document after ``change``. Raises ShadowError 409 where the version is another."""
    old = document or {"state": {}, "metadata": {}, "version": 0}
    if "version" in change and change["version"] != old["version"]:
        raise ShadowError(409, "Version conflict")
    state, metadata = copy.deepcopy(old["state"]), copy.deepcopy(old["metadata"])
    for name, section in change["state"].items():
        if section is None:
            state.pop(name, None)
            metadata.pop(name, None)
            continue
        state[name] = merge(state.get(name, {}), section)
        metadata[name] = merge(metadata.get(name, {}), _stamp(section, now))
    if len(json.dumps(state).encode()) > MAX_DOCUMENT_BYTES:
        raise ShadowError(413, f"The document exceeds the maximum size of {MAX_DOCUMENT_BYTES}")
    return {"state": state, "metadata": metadata, "version": old["version"] + 1}


class ShadowService:
    """Answers requests and publishes what follows from them.

    ``publish(topic, payload)`` is called for accepted, rejected, delta and documents messages.
    Each of them echoes the request's ``clientToken``, by which AWS's SDKs know their answers.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float],
        publish: Callable[[str, bytes], None],
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._publish = publish
        folder.mkdir(parents=True, exist_ok=True)

    def invoke(self, topic: str, payload: bytes) -> bytes:
        """The answer of one request; errors are answers with ``code`` and ``message``."""
        parsed = parse_topic(topic)
        if parsed is None:
            return _error(ShadowError(400, f"no shadow topic: {topic}"))
        thing, operation = parsed
        token = client_token(payload)
        facts = {"timestamp": int(self._clock()), **token}
        answers = {"get": self._get, "update": self._update, "delete": self._delete}
        try:
            answer, follow = answers[operation](thing, payload)
        except ShadowError as error:
            refusal = _dump({"code": error.code, "message": str(error), **facts})
            self._publish(f"{topic}/rejected", refusal)
            return refusal
        accepted = _dump({**answer, **facts})
        self._publish(f"{topic}/accepted", accepted)
        for kind, body in follow.items():
            self._publish(f"{topic}/{kind}", _dump({**body, **facts}))
        return accepted

    def document(self, thing: str) -> Json | None:
        """State, metadata and version as they are kept; None where there is no shadow."""
        return self._load(thing)

    def _get(self, thing: str, _payload: bytes) -> Answer:
        document = self._load(thing)
        if document is None:
            raise ShadowError(404, f"No shadow exists with name: '{thing}'")
        state = dict(document["state"])
        different = delta(state.get("desired", {}), state.get("reported", {}))
        if different:
            state["delta"] = different
        return {**document, "state": state}, {}

    def _update(self, thing: str, payload: bytes) -> Answer:
        change = parse_update(payload)
        now = int(self._clock())
        previous = self._load(thing)
        document = apply_update(previous, change, now)
        self._save(thing, document)
        state = document["state"]
        different = delta(state.get("desired", {}), state.get("reported", {}))
        version = {"version": document["version"]}
        follow: dict[str, Json] = {}
        if different:
            stamps = stamps_of(different, document["metadata"].get("desired", {}))
            follow["delta"] = {**version, "state": different, "metadata": stamps}
        empty: Json = {"state": {}, "metadata": {}, "version": 0}
        follow["documents"] = {"previous": previous or empty, "current": document}
        metadata = {k: _stamp(v, now) for k, v in change["state"].items() if v is not None}
        return {**version, "state": change["state"], "metadata": metadata}, follow

    def _delete(self, thing: str, _payload: bytes) -> Answer:
        document = self._load(thing)
        if document is None:
            raise ShadowError(404, f"No shadow exists with name: '{thing}'")
        self._file(thing).unlink()
        return {"version": document["version"]}, {}

    def _file(self, thing: str) -> Path:
        return self._folder / f"{thing.replace(':', '%3A')}.json"

    def _load(self, thing: str) -> Json | None:
        try:
            document = json.loads(self._file(thing).read_text())
        except FileNotFoundError:
            return None
        return dict(document)

    def _save(self, thing: str, document: Json) -> None:
        file = self._file(thing)
        temporary = file.with_suffix(".tmp")
        with temporary.open("w") as stream:
            json.dump(document, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)


def _dump(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _error(error: ShadowError) -> bytes:
    return _dump({"code": error.code, "message": str(error)})
