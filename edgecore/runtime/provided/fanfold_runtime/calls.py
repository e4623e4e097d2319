"""The calls of the protocol as bytes to send (docs/spec/ipc.md). Names follow the protocol."""

import os

from fanfold_runtime.wire import WireError, wire

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
_TOKEN = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")


def _request(method, path, body=b"", extra=""):
    head = (
        f"{method} /2016-11-01/functions/{path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {_TOKEN}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode("latin-1") + body


def _bytes(value):
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8")
    return value.read() if hasattr(value, "read") else bytes(value)


def get_work_request(arn):
    return _request("GET", arn + "/work"), True


def post_result_request(arn, invocation_id, body, error=""):
    extra = f"X-Amz-InvocationId: {invocation_id}\r\n"
    if error:
        extra += f"X-Amz-Function-Error: {error}\r\n"
    return _request("POST", arn + "/work", _bytes(body), extra), False


def post_work_request(arn, body, context, invocation_type):
    """Raises WireError where the body is above the limit, before anything is sent."""
    body = _bytes(body)
    if len(body) > MAX_BODY_BYTES:
        text = "payload is {} bytes (limit {}): send smaller messages"
        raise WireError(text.format(len(body), MAX_BODY_BYTES), 413)
    context = context.decode() if isinstance(context, bytes) else context
    extra = f"X-Amz-Invocation-Type: {invocation_type}\r\n"
    if context:
        extra += f"X-Amz-Client-Context: {context}\r\n"
    return _request("POST", arn, body, extra), False


def get_result_request(arn, invocation_id):
    return _request("GET", arn, b"", f"X-Amz-InvocationId: {invocation_id}\r\n"), True


def initialized_request(arn):
    return _request("PUT", arn + "/initialized", b'{"Success":true,"Response":""}'), False


def roundtrip(request):
    """Send one request on this thread's connection and wait for its reply. Raises WireError."""
    data, waits = request
    connection = wire()
    connection.send(data)
    return connection.receive(waits)
