"""What a handler gets: its event in the function's encoding, and a context object."""

import base64
import copy
import json
import sys

from fanfold_runtime.calls import TEXT

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Any, List, Tuple

if sys.version_info >= (3,):
    from functools import lru_cache
else:  # Python 2.7 decodes every time

    def lru_cache(maxsize):  # noqa: ARG001
        return lambda function: function


class Client(object):
    """Of the invoking client; empty for messages."""

    def __init__(self, fields):
        # type: (object) -> None
        if isinstance(fields, dict):
            self.__dict__.update(fields)


class ClientContext(object):
    """``custom['subject']`` is the topic of a message."""

    def __init__(self, client, custom, env):
        # type: (object, object, object) -> None
        self.client = Client(client)
        self.custom = custom
        self.env = env


class Context(object):
    """The attributes that V1 gives: no remaining time, no memory limit."""

    def __init__(self, arn, invocation_id, client_context):
        # type: (str, str, ClientContext) -> None
        name, version = _name_and_version(arn)
        self.invoked_function_arn = arn
        self.aws_request_id = invocation_id
        self.function_name = name
        self.function_version = version
        self.identity = None
        self.client_context = client_context


@lru_cache(maxsize=16)
def _name_and_version(arn):
    # type: (str) -> Tuple[str, str]
    name, _, version = arn.split(":", 6)[-1].partition(":")
    return name, version


@lru_cache(maxsize=1024)
def _fields(text):
    # type: (str) -> List[object]
    try:
        decoded = json.loads(base64.b64decode(text))
    except (ValueError, TypeError, RuntimeError):
        decoded = {}
    decoded = decoded if isinstance(decoded, dict) else {}
    found = [decoded.get(name) for name in ("client", "custom", "env")]
    return [{} if value is None else value for value in found]


def make_context(arn, invocation_id, text):
    # type: (str, str, str) -> Context
    """A context of its own per call: a handler may write on it."""
    client, custom, env = _fields(text)
    return Context(arn, invocation_id, ClientContext(client, _own(custom), _own(env)))


def _own(value):
    # type: (object) -> object
    return value.copy() if isinstance(value, dict) else copy.copy(value)


def decode_event(payload, encoding):
    # type: (bytes, str) -> object
    """Payload bytes as ``binary`` or ``json``; an empty JSON payload is {}. Raises ValueError."""
    if encoding == "binary":
        return payload
    return json.loads(payload) if payload else {}


def encode_result(result, encoding):
    # type: (Any, str) -> bytes
    """A handler's return value as bytes. Raises TypeError where it cannot be encoded."""
    if encoding == "binary":
        if result is None:
            return b""
        if isinstance(result, TEXT):
            return result.encode("utf-8")
        return bytes(result)
    return b"" if result is None else json.dumps(result).encode("utf-8")
