"""A process of the pool: an inference worker whose core is a pair of pipes.

Work messages come as lines on stdin; what it publishes leaves as lines on stdout:
topic, tab, payload. JSON payloads hold no newline, topics no tab. EOF on stdin ends it,
so a pool that dies takes its processes with it.
"""

from __future__ import annotations

import os
import sys

from contract.messages import dumps, utf8
from lambdas.common import log
from lambdas.common.bus import Bus
from lambdas.common.pipes import Answers
from lambdas.common.settings import inference_settings
from lambdas.common.variables import SettingsError
from lambdas.model.errors import ModelError
from lambdas.worker.worker import Worker

EXIT_NO_MODEL = 1
#: To the pool alone, which tells its owner why nothing starts.
CANNOT_START = "pool/cannot_start"


class PipeBus(Bus):
    """Publishes to the parent process."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def publish(self, topic: str, payload: bytes) -> bool:
        try:
            self._answers.line(topic.encode() + b"\t" + payload)
        except BrokenPipeError:  # the parent is gone, which is nothing to log: no one asks again
            os._exit(0)
        except OSError:
            return False
        return True


def main() -> int:
    answers = Answers()
    log.configure(os.environ.get("FANFOLD_LOG_LEVEL", "INFO"))
    try:
        worker = Worker(inference_settings(), PipeBus(answers))
    except (ModelError, SettingsError) as error:
        log.get_logger("pool").critical("cannot start: %s", error)
        told = dumps({"v": 1, "kind": "cannot_start", "why": str(error)})
        answers.line(CANNOT_START.encode() + b"\t" + utf8(told))
        return EXIT_NO_MODEL
    for line in sys.stdin.buffer:
        worker.handle(line)
    os._exit(0)  # its results have nobody to go to


if __name__ == "__main__":
    sys.exit(main())
