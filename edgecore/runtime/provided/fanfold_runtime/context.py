"""What a handler gets: its event in the function's encoding, and a context object."""

import base64
import copy
import json

from fanfold_runtime.calls import TEXT

try:
    from functools import lru_cache
except ImportError:  # Python 2.7 decodes every time

    def lru_cache(maxsize):  # noqa: ARG001
        return lambda function: function


class Client(object):
    """Of the invoking client; empty for messages."""

    def __init__(self, fields):
        if isinstance(fields, dict):
            self.__dict__.update(fields)


class ClientContext(object):
    """``custom['subject']`` is the topic of a message."""

    def __init__(self, client, custom, env):
        self.client = Client(client)
        self.custom = custom
        self.env = env


class Context(object):
    """The attributes that V1 gives: no remaining time, no memory limit."""

    def __init__(self, arn, invocation_id, client_context):
        name, _, version = arn.split(":", 6)[-1].partition(":")
        self.invoked_function_arn = arn
        self.aws_request_id = invocation_id
        self.function_name = name
        self.function_version = version
        self.identity = None
        self.client_context = client_context


@lru_cache(maxsize=1024)
def _fields(text):
    try:
        decoded = json.loads(base64.b64decode(text))
    except (ValueError, TypeError, RuntimeError):
        decoded = {}
    decoded = decoded if isinstance(decoded, dict) else {}
    found = [decoded.get(name) for name in ("client", "custom", "env")]
    return [{} if value is None else value for value in found]


def make_context(arn, invocation_id, text):
    """A context of its own per call: a handler may write on it."""
    client, custom, env = _fields(text)
    return Context(arn, invocation_id, ClientContext(*map(copy.copy, (client, custom, env))))


def decode_event(payload, encoding):
    """Payload bytes as ``binary`` or ``json``; an empty JSON payload is {}. Raises ValueError."""
    if encoding == "binary":
        return payload
    return json.loads(payload) if payload else {}


def encode_result(result, encoding):
    """A handler's return value as bytes. Raises TypeError where it cannot be encoded."""
    if encoding == "binary":
        if result is None:
            return b""
        if isinstance(result, TEXT):
            return result.encode("utf-8")
        return bytes(result)
    return b"" if result is None else json.dumps(result).encode("utf-8")
