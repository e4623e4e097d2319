"""A replay as it goes: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time

from fanfold.common import output
from replay.drive import Tally

EVERY_S = 30.0


class Progress:
    def __init__(self, images: int, usd_per_hour: float) -> None:
        self._images, self._usd_per_hour = images, usd_per_hour
        self._bar = output.progress()
        self._task = self._bar.add_task("images", total=images)
        self._next_s = time.monotonic() + EVERY_S

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:  # fmt: skip
        self._bar.stop()

    def warn(self, message: str) -> None:
        output.warn(message)

    def progress(self, tally: Tally) -> None:
        self._bar.update(self._task, completed=tally.images, description=self._rate(tally))
        if self._bar.disable and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + EVERY_S
            output.note(f"{tally.images:,} of {self._images:,} images, {self._rate(tally)}")

    def _rate(self, tally: Tally) -> str:
        """Rate, time left, cost of the whole at this rate, and what failed."""
        rate = tally.images_per_s
        if not rate:
            return "images"
        left_s = (self._images - tally.images) / rate
        text = f"{rate:.0f} images/s, {left_s / 60:.0f} min left"
        if self._usd_per_hour:
            text += f", ${(tally.seconds + left_s) / 3600 * self._usd_per_hour:.2f} in all"
        if tally.failed:
            reasons = ", ".join(f"{reason} {count}" for reason, count in tally.failed.most_common())
            text += f", failed: {reasons}"
        return text
