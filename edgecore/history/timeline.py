"""What happened between two looks at the core's status, as events. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contract.status import Status
from edgecore.core.stats import mapping

Happened = tuple[str, str, str]
"""Kind, subject, text."""


def changes(before: Status, after: Status) -> Iterator[Happened]:
    """Deployments and roll-backs, restarts of functions, the way to the cloud."""
    yield from _deployments(before, after)
    yield from _functions(before, after)
    yield from _cloud(mapping(before.get("cloud")), mapping(after.get("cloud")))


def _deployments(before: Status, after: Status) -> Iterator[Happened]:
    known = [_key(e) for e in mapping(before.get("group")).get("history", [])]
    for entry in mapping(after.get("group")).get("history", []):
        if _key(entry) not in known:
            text = str(entry.get("outcome", ""))
            text += f": {entry['detail']}" if entry.get("detail") else ""
            yield "deployment", str(entry.get("deployment", "")), text


def _key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry.get("deployment"), entry.get("t"), entry.get("outcome")


def _functions(before: Status, after: Status) -> Iterator[Happened]:
    """A group that was replaced has other functions, whose counts begin anew."""
    known = {f["arn"]: f for f in before.get("functions", []) if "arn" in f}
    for function in after.get("functions", []):
        old = known.get(function.get("arn", ""))
        if old is None:
            continue
        name, why = str(function.get("id", "")), function.get("last_error") or ""
        restarts = function.get("restarts", 0) - old.get("restarts", 0)
        if restarts > 0:
            yield "function", name, "was started again" + (f" ({why})" if why else "")
        state = function.get("state")
        if state in {"crash_loop", "hung"} and state != old.get("state"):
            yield "function", name, str(state).replace("_", " ") + (f": {why}" if why else "")


def _cloud(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Happened]:
    old, new = mapping(before.get("link")), mapping(after.get("link"))
    if old.get("connected") is not None and old["connected"] != new.get("connected"):
        words = "connected" if new.get("connected") else "connection lost"
        yield "cloud", "link", words + (f": {new['message']}" if new.get("message") else "")
    refusing = after.get("refusing")
    if refusing and not before.get("refusing"):
        yield "cloud", "spool", f"takes no messages: {refusing}"
