"""What a function does that cannot start: say why in one line, and end."""

from __future__ import annotations

import contextlib
import sys
from typing import Iterator

from lambdas.common import log

EXIT_CANNOT = 1


@contextlib.contextmanager
def starting(part: str, *causes: type[Exception]) -> Iterator[None]:
    """Around all that reads settings and loads the model; of `causes` the message is enough.

    The core restarts the function with back-off: what is wrong may yet be put right.
    """
    try:
        yield
    except causes as error:
        log.configure("INFO")
        log.get_logger(part).critical("cannot start: %s", error)
        sys.exit(EXIT_CANNOT)
