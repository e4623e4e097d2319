"""The core's own log: lines of JSON below the state directory, and text on stderr."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import time
from pathlib import Path

LOG_BYTES = 4 * 1024 * 1024


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, logger, message, traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "t": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts)


class LogFile(logging.handlers.RotatingFileHandler):
    """Says once that its disk takes nothing; the lines are on stderr meanwhile."""

    _said = ""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif self._said != error.strerror:
            self._said = str(error.strerror)
            sys.stderr.write(f"{self.baseFilename}: {error.strerror}; lines are here only\n")


def configure_logs(state: Path) -> None:
    """Raises OSError where the file cannot be opened."""
    to_file = LogFile(state / "logs" / "core.log", maxBytes=LOG_BYTES, backupCount=1)
    to_file.setFormatter(JsonLines())
    to_stderr = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s")
    formatter.datefmt = "%Y-%m-%dT%H:%M:%S"
    formatter.converter = time.gmtime
    to_stderr.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_stderr])
    # botocore logs at every poll where it found its credentials.
    for chatty in ("uvicorn", "botocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
