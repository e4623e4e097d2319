"""From process start to work: settings, handler, loop."""

import gc
import importlib
import logging
import os
import signal
import sys

from fanfold_runtime import byte_code, loop
from fanfold_runtime.calls import WireError, initialized_request, roundtrip
from fanfold_runtime.logs import configure

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Optional

log = logging.getLogger("lambda_runtime")
REQUIRED = ("MY_FUNCTION_ARN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "ENCODING_TYPE")


def run(handler_name):
    # type: (str) -> int
    """Exit status of the process: 0 only by SIGTERM; 1: the core or the handler is missing."""
    # What imports make stays: looking through it for garbage is a tenth of a worker's start.
    # By its threshold: a handler may switch collecting off for itself.
    usual = gc.get_threshold()
    gc.set_threshold(0)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_flushed(0)))
    configure(os.environ.get("LOG_LEVEL", "INFO"))
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if missing:
        log.critical("environment lacks %s: only the core starts this", ", ".join(missing))
        return 1
    byte_code.keep_apart(os.getcwd(), os.environ.get("FANFOLD_BYTE_CODE"))
    handler = _import_handler(handler_name)
    if handler is None:
        return 1
    if gc.get_threshold()[0] == 0:
        gc.set_threshold(*usual)
    arn, encoding = os.environ["MY_FUNCTION_ARN"], os.environ["ENCODING_TYPE"]
    try:
        roundtrip(initialized_request(arn))
        loop.work(handler, arn, encoding)
    except WireError as error:
        log.critical("lost the connection to the core: %s", error)
    return _flushed(1)


def _import_handler(name):
    # type: (str) -> Optional[loop.Handler]
    module_name, _, attribute = name.replace("/", ".").rpartition(".")
    try:
        handler = getattr(importlib.import_module(module_name), attribute)  # type: Optional[loop.Handler]
    except BaseException as error:
        log.critical(
            'Failed to import handler function "%s" due to exception: %s',
            name,
            error,
            exc_info=True,
        )
        _flushed(1)
        handler = None
    return handler


def _flushed(status):
    # type: (int) -> int
    """SIGTERM does not wait for threads: what they hold is journaled or lost by contract."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, RuntimeError):
            continue
    return status
