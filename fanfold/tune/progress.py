"""What `fanfold tune` says while it measures, and that nothing is left when it is ended."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from fanfold.common import output
from fanfold.tune.forecast import Forecast, duration
from fanfold.tune.outcome import words
from fanfold.tune.search import Measured


class Progress:
    """A line for each run, with how many and how long are left."""

    def __init__(self, forecast: Forecast) -> None:
        self._forecast, self._done, self._began_s = forecast, 0, time.monotonic()

    def __call__(self, named: dict[str, int], measured: Measured, predicted: float | None) -> None:
        self._done += 1
        total = max(self._forecast.runs, self._done)
        left_s = (total - self._done) * (time.monotonic() - self._began_s) / self._done
        plan = f", planned {predicted:.1f}/s" if predicted else ""
        output.note(
            f"[{self._done} of about {total}, {duration(left_s)} left] {words(named)}: "
            f"{measured[0]:.1f}/s, p99 {measured[1]:.0f} ms{plan}"
        )


@contextmanager
def clearing(work: Path) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the running core; its folder goes, whatever happened."""

    def end(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, end) if main else None
    try:
        yield
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if main:
            signal.signal(signal.SIGTERM, before)
