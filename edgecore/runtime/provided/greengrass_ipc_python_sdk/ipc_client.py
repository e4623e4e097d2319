"""IPCClient and IPCException as the published SDK uses them (docs/spec/ipc.md)."""

from collections import namedtuple

from fanfold_runtime.calls import (
    WireError,
    get_result_request,
    get_work_request,
    post_result_request,
    post_work_request,
    roundtrip,
)

WorkItem = namedtuple("WorkItem", ["invocation_id", "payload", "client_context"])
GetWorkResultOutput = namedtuple("GetWorkResultOutput", ["payload", "func_err"])


class IPCException(Exception):  # noqa: N818 - the name the published SDK imports
    """The core refused or could not be reached; the text says which and why."""


class IPCClient(object):
    """One per SDK client; connections are per thread, below it.

    ``endpoint`` and ``port`` are taken and ignored: the core is where GG_DAEMON_PORT says.
    """

    def __init__(self, endpoint="localhost", port=None):
        pass

    def post_work(
        self, function_arn, input_bytes, client_context, invocation_type="RequestResponse"
    ):
        """Invoke ``function_arn``; returns the invocation id. Raises IPCException."""
        try:
            request = post_work_request(function_arn, input_bytes, client_context, invocation_type)
        except WireError as error:  # too large
            raise IPCException(str(error))
        return _call(request).invocation_id

    def get_work(self, function_arn):
        """Wait for this function's next item. Raises IPCException."""
        reply = _call(get_work_request(function_arn))
        return WorkItem(reply.invocation_id, reply.body, reply.context)

    def post_work_result(self, function_arn, work_item):
        """Answer an item: ``work_item`` holds its id and the result's bytes."""
        _call(post_result_request(function_arn, work_item.invocation_id, work_item.payload))

    def post_handler_err(self, function_arn, invocation_id, handler_err):
        """Say that the handler failed."""
        request = post_result_request(function_arn, invocation_id, handler_err, "Handled")
        _call(request)

    def get_work_result(self, function_arn, invocation_id):
        """Wait for the answer to one's own RequestResponse invocation."""
        reply = _call(get_result_request(function_arn, invocation_id))
        return GetWorkResultOutput(reply.body, reply.error)


def _call(request):
    try:
        return roundtrip(request)
    except WireError as error:
        raise IPCException(str(error))
