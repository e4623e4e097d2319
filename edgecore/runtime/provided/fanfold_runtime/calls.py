"""The calls of the protocol as bytes to send (docs/spec/ipc.md). Names follow the protocol."""

import os

from fanfold_runtime.wire import WireError, wire

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import IO, Tuple, Union

    from fanfold_runtime.wire import Reply

    Payload = Union[None, str, bytes, IO[bytes]]
    Request = Tuple[bytes, bool]  # what to send, and whether the answer may take for ever
    TEXT = str
else:
    TEXT = type(b"".decode("ascii"))  # in Python 2.7 unicode

__all__ = [
    "WireError",
    "get_result_request",
    "get_work_request",
    "initialized_request",
    "post_result_request",
    "post_work_request",
    "roundtrip",
]

MAX_BODY_BYTES = 131072
_HEAD = (
    "{} /2016-11-01/functions/{} HTTP/1.1\r\nHost: localhost\r\n"
    "Authorization: {}\r\nContent-Length: {}\r\n{}\r\n"
)
_TOKEN = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")


def _request(method, path, body=b"", extra=""):
    # type: (str, str, bytes, str) -> bytes
    head = _HEAD.format(method, path, _TOKEN, len(body), extra)
    return head.encode("latin-1") + body


def _bytes(value):
    # type: (Payload) -> bytes
    if value is None:
        return b""
    if isinstance(value, TEXT):
        return value.encode("utf-8")
    return value.read() if hasattr(value, "read") else bytes(value)


def get_work_request(arn, most=1):
    # type: (str, int) -> Request
    """``most``: so many items may come, one reply each; the first says how many."""
    extra = "X-Fanfold-Items: {}\r\n".format(most) if most > 1 else ""
    return _request("GET", arn + "/work", b"", extra), True


def post_result_request(arn, invocation_id, body, error=""):
    # type: (str, str, Payload, str) -> Request
    """``invocation_id``: or several, with commas, that have the same result."""
    extra = "X-Amz-InvocationId: {}\r\n".format(invocation_id)
    if error:
        extra += "X-Amz-Function-Error: {}\r\n".format(error)
    return _request("POST", arn + "/work", _bytes(body), extra), False


def post_work_request(arn, body, context, invocation_type):
    # type: (str, Payload, Union[str, bytes], str) -> Request
    """Raises WireError where the body is above the limit, before anything is sent."""
    body = _bytes(body)
    if len(body) > MAX_BODY_BYTES:
        text = "payload is {} bytes (limit {}): send smaller messages"
        raise WireError(text.format(len(body), MAX_BODY_BYTES), 413)
    context = context.decode() if isinstance(context, bytes) else context
    extra = "X-Amz-Invocation-Type: {}\r\n".format(invocation_type)
    if context:
        extra += "X-Amz-Client-Context: {}\r\n".format(context)
    return _request("POST", arn, body, extra), False


def get_result_request(arn, invocation_id):
    # type: (str, str) -> Request
    return _request("GET", arn, b"", "X-Amz-InvocationId: {}\r\n".format(invocation_id)), True


def initialized_request(arn):
    # type: (str) -> Request
    return _request("PUT", arn + "/initialized", b'{"Success":true,"Response":""}'), False


def roundtrip(request):
    # type: (Request) -> Reply
    """Send one request on this thread's connection and wait for its reply. Raises WireError."""
    data, waits = request
    connection = wire()
    connection.send(data)
    return connection.receive(waits)
