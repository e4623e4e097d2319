"""Log lines in V1's form on standard output, which the core writes to the function's file."""

import logging
import sys
import time

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Optional

LEVELS = {"WARN": logging.WARNING, "FATAL": logging.CRITICAL}


class Formatter(logging.Formatter):
    """``[2026-11-23T12:00:00.000Z][INFO]-file.py:12,message``"""

    def __init__(self):
        # type: () -> None
        logging.Formatter.__init__(
            self, "[%(asctime)s][%(levelname)s]-%(filename)s:%(lineno)d,%(message)s"
        )

    def formatTime(self, record, datefmt=None):  # noqa: N802, ARG002 - logging's name for it
        # type: (logging.LogRecord, Optional[str]) -> str
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return "{}.{:03d}Z".format(moment, int(record.msecs))


def configure(level):
    # type: (str) -> None
    """Send the root logger to standard output; ``level`` as V1 names them."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS.get(level) or logging.getLevelName(level))
    # The SDK logs every publish at debug level, formatting the payload into the text.
    logging.getLogger("greengrasssdk").setLevel(logging.INFO)
