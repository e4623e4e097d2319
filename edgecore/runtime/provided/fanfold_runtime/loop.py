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
    from typing import Any, Callable, List, NoReturn, Tuple

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
    # Ours alone: a handler that only hands over says how many items it may be given at once.
    poll = get_work_request(arn, getattr(handler, "items_at_once", 1))[0]
    connection = wire()
    answers = []  # type: List[bytes]
    while True:
        items = _next(connection, answers, poll)
        answers = _handle_all(handler, arn, encoding, items)


def _next(connection, answers, poll):
    # type: (Wire, List[bytes], bytes) -> List[Reply]
    """Send the last answers (if any) with the next poll; returns the next item, or items."""
    waited_s, pause_s = 0.0, BACKOFF_FIRST_S
    while True:
        try:
            connection.send(b"".join(answers) + poll)
            sent, answers = answers, []  # a repeat could answer twice
            for _ in sent:
                _confirm(connection)
            first = connection.receive(waits=True)
            return [first] + [connection.receive() for _ in range(first.items - 1)]
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


def _handle_all(handler, arn, encoding, items):
    # type: (Handler, str, str, List[Reply]) -> List[bytes]
    """Requests that answer ``items``; those without a result have one together."""
    silent, answers = [], []  # type: List[str], List[bytes]
    for item in items:
        result, error = _handle(handler, arn, encoding, item)
        if result or error:
            answers.append(post_result_request(arn, item.invocation_id, result, error)[0])
        else:
            silent.append(item.invocation_id)
    if silent:
        answers.append(post_result_request(arn, ",".join(silent), b"")[0])
    return answers


def _handle(handler, arn, encoding, item):
    # type: (Handler, str, str, Reply) -> Tuple[bytes, str]
    """Result and error of ``item``; whatever the handler raises is its answer."""
    try:
        event = decode_event(item.body, encoding)
        context = make_context(arn, item.invocation_id, item.context)
        return encode_result(handler(event, context), encoding), ""
    except Exception as error:
        log.error("handler failed: %s", error, exc_info=True)
        body = {
            "errorMessage": _text(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_exc(limit=20).splitlines(),
        }
        return json.dumps(body).encode("utf-8"), "Handled"
