"""A process of the pool: an inference worker whose core is a pair of pipes.

Work messages come as lines on stdin; what it publishes leaves as lines on stdout:
topic, tab, payload. JSON payloads hold no newline, topics no tab. EOF on stdin ends it,
so a pool that dies takes its processes with it.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import BinaryIO

from lambdas.common import log
from lambdas.common.bus import Bus
from lambdas.common.settings import inference_settings
from lambdas.common.variables import SettingsError
from lambdas.model.errors import ModelError
from lambdas.worker.worker import Worker

EXIT_NO_MODEL = 1


class PipeBus(Bus):
    """Publishes to the parent process."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def publish(self, topic: str, payload: bytes) -> bool:
        try:
            with self._lock:
                self._out.write(topic.encode() + b"\t" + payload + b"\n")
                self._out.flush()
        except OSError:  # the parent is gone; stdin's EOF ends this process
            return False
        return True


def main() -> int:
    # A library that prints must not speak into the protocol.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    log.configure(os.environ.get("FANFOLD_LOG_LEVEL", "INFO"))
    try:
        worker = Worker(inference_settings(), PipeBus(out))
    except (ModelError, SettingsError) as error:
        log.get_logger("pool").critical("cannot start: %s", error)
        return EXIT_NO_MODEL
    for line in sys.stdin.buffer:
        worker.handle(line)
    os._exit(0)  # its results have nobody to go to


if __name__ == "__main__":
    sys.exit(main())
