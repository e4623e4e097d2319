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
from fanfold_runtime.publishing import publish_all

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import List, Optional, Tuple, Union

    from fanfold_runtime.calls import Payload, Request
    from fanfold_runtime.wire import Reply

WorkItem = namedtuple("WorkItem", ["invocation_id", "payload", "client_context"])
GetWorkResultOutput = namedtuple("GetWorkResultOutput", ["payload", "func_err"])


class IPCException(Exception):  # noqa: N818 - the name the published SDK imports
    """The core refused or could not be reached; the text says which and why."""


class IPCClient(object):
    """One per SDK client; connections are per thread, below it.

    ``endpoint`` and ``port`` are taken and ignored: the core is where GG_DAEMON_PORT says.
    """

    def __init__(self, endpoint="localhost", port=None):
        # type: (str, Optional[int]) -> None
        pass

    def post_work(
        self, function_arn, input_bytes, client_context, invocation_type="RequestResponse"
    ):
        # type: (str, Payload, Union[str, bytes], str) -> str
        """Invoke ``function_arn``; returns the invocation id. Raises IPCException."""
        try:
            request = post_work_request(function_arn, input_bytes, client_context, invocation_type)
        except WireError as error:  # too large
            raise IPCException(str(error))
        return _call(request).invocation_id

    def publish_all(self, messages):
        # type: (List[Tuple[str, bytes]]) -> List[str]
        """Ours alone: publish each (topic, payload); what the core says against each, "": taken.

        Raises IPCException for a payload above the limit.
        """
        try:
            return publish_all(messages)
        except WireError as error:
            raise IPCException(str(error))

    def get_work(self, function_arn):
        # type: (str) -> WorkItem
        """Wait for this function's next item. Raises IPCException."""
        reply = _call(get_work_request(function_arn))
        return WorkItem(reply.invocation_id, reply.body, reply.context)

    def post_work_result(self, function_arn, work_item):
        # type: (str, WorkItem) -> None
        """Answer an item: ``work_item`` holds its id and the result's bytes."""
        _call(post_result_request(function_arn, work_item.invocation_id, work_item.payload))

    def post_handler_err(self, function_arn, invocation_id, handler_err):
        # type: (str, str, Payload) -> None
        """Say that the handler failed."""
        request = post_result_request(function_arn, invocation_id, handler_err, "Handled")
        _call(request)

    def get_work_result(self, function_arn, invocation_id):
        # type: (str, str) -> GetWorkResultOutput
        """Wait for the answer to one's own RequestResponse invocation."""
        reply = _call(get_result_request(function_arn, invocation_id))
        return GetWorkResultOutput(reply.body, reply.error)


def _call(request):
    # type: (Request) -> Reply
    try:
        return roundtrip(request)
    except WireError as error:
        raise IPCException(str(error))
