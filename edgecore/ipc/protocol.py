"""What IPC requests carry and answers say, as the protocol writes it (docs/spec/ipc.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from edgecore.core.workqueue import WorkItem
from edgecore.ipc.http1 import Request
from edgecore.ipc.server import Answer

MOST_ITEMS = 64
"""For one poll of our own runtime, and answered by one result."""
Abandon = Callable[[], None] | None
"""What a handler that answers later wants to hear when the client leaves."""


def ok(answer: Answer, invocation_id: str = "") -> Abandon:
    answer(200, b"", f"X-Amz-InvocationId: {invocation_id}\r\n" if invocation_id else "")
    return None


def respond(answer: Answer, status: int, message: str) -> Abandon:
    answer(status, f"{message}\n".encode(), "")
    return None


def item_headers(item: WorkItem) -> str:
    context = f"X-Amz-Client-Context: {item.context}\r\n" if item.context else ""
    return f"X-Amz-InvocationId: {item.invocation_id}\r\n{context}"


def most_items(request: Request) -> int:
    """How many items a poll asks for; of all clients our own runtime alone says it."""
    asked = request.headers.get(b"x-fanfold-items", b"1")
    return min(max(int(asked), 1), MOST_ITEMS) if asked.isdigit() and len(asked) < 4 else 1


def invocation_id_of(request: Request) -> str:
    return request.headers.get(b"x-amz-invocationid", b"").decode("latin-1")


def json_object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def log_lines(body: bytes) -> list[str]:
    events = json_object(body).get("logEvents")
    if not isinstance(events, list):
        return []
    return [str(e["message"]) for e in events if isinstance(e, dict) and "message" in e]
