"""One shadow document and what an update makes of it. Pure.

Source: docs.aws.amazon.com, IoT developer guide, "Device Shadow service documents".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

LARGEST_BYTES = 8 * 1024
DEEPEST = 8
LONGEST_TOKEN = 64
SECTIONS = ("desired", "reported")
State = dict[str, Any]


class ShadowRefused(Exception):  # noqa: N818 (as AWS says it)
    """`code` is the HTTP-like one of a `rejected` message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Shadow:
    """`state` and `metadata` have a section each for `desired` and `reported`, where given."""

    version: int = 0
    state: State = field(default_factory=dict)
    metadata: State = field(default_factory=dict)
    deleted: bool = True

    def delta(self) -> State:
        """Every desired value that is reported otherwise, or not at all."""
        return _difference(self.state.get("desired") or {}, self.state.get("reported") or {})

    def content(self) -> State:
        """What `get` answers, without time and token."""
        state = dict(self.state)
        if delta := self.delta():
            state["delta"] = delta
        return {"state": state, "metadata": self.metadata, "version": self.version}


@dataclass(frozen=True)
class Update:
    """An update that was taken: the new document and the messages that tell of it."""

    shadow: Shadow
    accepted: State
    documents: State
    delta: State | None


def parse(payload: bytes) -> State:
    """The request of an update. Raises ShadowRefused."""
    try:
        request = json.loads(payload)
    except ValueError as error:
        raise ShadowRefused(400, "Payload contains invalid json") from error
    if not isinstance(request, dict) or "state" not in request:
        raise ShadowRefused(400, "Missing required node: state")
    state = request["state"]
    if state is not None and not isinstance(state, dict):
        raise ShadowRefused(400, "State node must be an object")
    for name, section in (state or {}).items():
        if name not in SECTIONS:
            raise ShadowRefused(400, f"State contains an invalid node: '{name}'")
        if section is not None and not isinstance(section, dict):
            raise ShadowRefused(400, f"Node {name} must be an object")
        if _depth(section) > DEEPEST:
            raise ShadowRefused(400, f"JSON contains too many levels of nesting; at most {DEEPEST}")
    if len(str(request.get("clientToken", ""))) > LONGEST_TOKEN:
        raise ShadowRefused(400, f"clientToken: at most {LONGEST_TOKEN} bytes")
    return request


def apply(shadow: Shadow, request: State, now: int) -> Update:
    """Raises ShadowRefused: 409 for another version, 413 for a document that became too large."""
    version = request.get("version")
    if version is not None and version != shadow.version:
        raise ShadowRefused(409, "Version conflict")
    wanted = request["state"] or dict.fromkeys(SECTIONS)
    state, metadata = dict(shadow.state), dict(shadow.metadata)
    for name, section in wanted.items():
        state[name] = None if section is None else _merged(state.get(name) or {}, section)
        metadata[name] = (
            None if section is None else _stamped(metadata.get(name) or {}, section, now)
        )
        if not state[name]:
            del state[name], metadata[name]
    if len(json.dumps(state, separators=(",", ":"))) > LARGEST_BYTES:
        raise ShadowRefused(413, f"The document is larger than {LARGEST_BYTES} bytes")
    made = Shadow(shadow.version + 1, state, metadata, deleted=False)
    accepted = {
        "state": request["state"],
        "metadata": {n: _stamped({}, s, now) for n, s in wanted.items() if s is not None},
        "version": made.version,
    }
    return Update(made, accepted, _documents(shadow, made), _delta(made, wanted))


def deleted(shadow: Shadow) -> Shadow:
    """The version goes on counting."""
    return replace(shadow, state={}, metadata={}, version=shadow.version + 1, deleted=True)


def _documents(before: Shadow, after: Shadow) -> State:
    def part(shadow: Shadow) -> State:
        return {"state": shadow.state, "metadata": shadow.metadata, "version": shadow.version}

    return {"previous": part(before), "current": part(after)}


def _delta(shadow: Shadow, wanted: State) -> State | None:
    """A delta is told when an update touched a section and a difference is left."""
    difference = shadow.delta()
    if not difference or not wanted:
        return None
    metadata = _selected(shadow.metadata.get("desired", {}), difference)
    return {"version": shadow.version, "state": difference, "metadata": metadata}


def _merged(into: State, change: State) -> State:
    """null removes a key; a list is a value."""
    found = dict(into)
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            inner = found.get(key)
            found[key] = _merged(inner if isinstance(inner, dict) else {}, value)
            if not found[key]:
                del found[key]
        else:
            found[key] = value
    return found


def _stamped(into: State, change: State, now: int) -> State:
    found = dict(into)
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            found[key] = _stamped(found.get(key) or {}, value, now)
        elif isinstance(value, list):
            found[key] = [{"timestamp": now} for _ in value]
        else:
            found[key] = {"timestamp": now}
    return found


def _difference(desired: State, reported: State) -> State:
    found: State = {}
    for key, value in desired.items():
        other = reported.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            if inner := _difference(value, other):
                found[key] = inner
        elif value != other:
            found[key] = value
    return found


def _selected(metadata: Any, difference: State) -> State:
    return {
        key: _selected(metadata.get(key, {}), value)
        if isinstance(value, dict)
        else metadata.get(key, {})
        for key, value in difference.items()
    }


def _depth(value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    return 1 + max((_depth(each) for each in value.values()), default=0)
