"""The client context of a request: base64 of JSON, in ``X-Amz-Client-Context``. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from functools import lru_cache

from contract.topic_filters import topic_problem
from edgecore.core.router import QueueFullPolicy

_POLICIES: Mapping[str, QueueFullPolicy] = {"BestEffort": "BestEffort", "AllOrError": "AllOrError"}


@lru_cache(maxsize=1024)
def is_context(text: str) -> bool:
    """It is handed on in a header: what another process cannot read would end that one."""
    try:
        json.loads(base64.b64decode(text, validate=True))
    except (ValueError, RecursionError, binascii.Error):
        return False
    return True


@lru_cache(maxsize=4096)
def publication(context: str) -> tuple[str, str, QueueFullPolicy]:
    """(claimed source, topic, policy) of a client context. Raises ValueError with the reason."""
    try:
        custom = json.loads(base64.b64decode(context, validate=True))["custom"]
        source, topic = custom.get("source", ""), custom["subject"]
        policy = custom.get("queueFullPolicy") or "BestEffort"
        topic.encode(), source.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise ValueError("X-Amz-Client-Context is not base64 of custom.subject") from None
    if policy not in _POLICIES:
        raise ValueError(f"queueFullPolicy {policy!r} is neither BestEffort nor AllOrError")
    problem = topic_problem(topic)
    if problem:
        raise ValueError(problem)
    return source, topic, _POLICIES[policy]
