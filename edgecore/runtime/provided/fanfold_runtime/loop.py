"""Fetch, handle, answer, for ever. The answer and the next poll leave in one packet."""

import json
import logging
import random
import time
import traceback

from fanfold_runtime.calls import WireError, get_work_request, post_result_request
from fanfold_runtime.context import decode_event, encode_result, make_context
from fanfold_runtime.wire import wire

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from fanfold_runtime.context import Context
    from fanfold_runtime.wire import Reply, Wire

    Handler = Callable[[Any, Context], Any]

log = logging.getLogger("lambda_runtime")

BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 0.5
BACKOFF_TOTAL_S = 3.0
"""AWS's wrappers: 50 ms doubling to 500 ms, 3 s in all, then the process ends."""


def work(handler, arn, encoding):
    # type: (Handler, str, str) -> NoReturn
    """Returns never; raises WireError where the core stays away."""
    poll = get_work_request(arn)[0]
    connection = wire()
    answer = b""
    while True:
        item = _next(connection, answer, poll)
        answer = _handle(handler, arn, encoding, item)


def _next(connection, answer, poll):
    # type: (Wire, bytes, bytes) -> Reply
    """Send the last answer (if any) with the next poll; returns the next item."""
    waited_s, pause_s = 0.0, BACKOFF_FIRST_S
    while True:
        try:
            connection.send(answer + poll)
            if answer:
                answer = b""  # sent: a repeat could answer twice
                _confirm(connection)
            return connection.receive(waits=True)
        except WireError as error:
            if waited_s >= BACKOFF_TOTAL_S or error.status in (401, 403):
                raise
            log.warning("polling again in %.2f s: %s", pause_s, error)
        nap_s = pause_s * (0.5 + random.random() / 2)
        time.sleep(nap_s)
        waited_s += nap_s
        pause_s = min(BACKOFF_MAX_S, pause_s * 2)


def _confirm(connection):
    # type: (Wire) -> None
    """A refused result (too large, too late) is logged; the poll behind it goes on.

    The core may keep this back until the poll has its answer: one packet, one wake-up.
    """
    try:
        connection.receive(waits=True)
    except WireError as error:
        log.error("the core did not accept the result: %s", error)  # noqa: TRY400 - no traceback: the text says it
        if error.status in (0, 413):
            raise  # the connection is gone with it


def _text(error):
    # type: (Exception) -> str
    try:
        return str(error)
    except UnicodeError:  # Python 2.7, a message that is not ASCII
        return repr(error)


def _handle(handler, arn, encoding, item):
    # type: (Handler, str, str, Reply) -> bytes
    """The bytes that answer ``item``; whatever the handler raises is its answer."""
    try:
        event = decode_event(item.body, encoding)
        context = make_context(arn, item.invocation_id, item.context)
        result = encode_result(handler(event, context), encoding)
        return post_result_request(arn, item.invocation_id, result)[0]
    except Exception as error:
        log.error("handler failed: %s", error, exc_info=True)
        body = {
            "errorMessage": _text(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_exc(limit=20).splitlines(),
        }
        text = json.dumps(body).encode("utf-8")
        return post_result_request(arn, item.invocation_id, text, "Handled")[0]
