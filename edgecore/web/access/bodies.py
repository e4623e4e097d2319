"""What comes in the body of an act: JSON of bounded size, and what is wrong with it in words."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from edgecore.web.access.guard import note_detail


class BadRequestError(Exception):
    """The request's own mistake; the text names field, value, limit and remedy."""


async def body_of(request: Request, limit: int, content_limit: int = 0) -> bytes:
    """At most so many bytes: no further is read. ``content_limit``: what of it may be content,
    for the message. Raises BadRequestError."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise BadRequestError(
                f"more than {content_limit or limit} bytes: send a smaller message"
            )
    return content


async def json_of(request: Request, limit: int, content_limit: int = 0) -> dict[str, Any]:
    """An object, whose harmless facts the audit log gets. Raises BadRequestError."""
    try:
        body = json.loads(await body_of(request, limit, content_limit))
    except (ValueError, RecursionError):
        raise BadRequestError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequestError("the body is not a JSON object")
    note_detail(request.scope, body)
    return body


def text_of(body: dict[str, Any], key: str) -> str:
    """Raises BadRequestError."""
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"{key!r} is {value!r:.80}: expected a non-empty string")
    return value
