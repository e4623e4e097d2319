"""Images that cannot be read now, through no fault of their own, wait; then others try.

A volume that is away, EIO, no descriptor, no memory: such an image is tried again with
back-off, and for a short trouble that is all. After `LET_GO_S` it is given back: no result is
published, heartbeats no longer name its batch, and the splitter, which hears of the trouble
in them, sends it to a worker that has none, or keeps it until one has none.
"""

from __future__ import annotations

import time
from typing import Any, Callable

import numpy as np

from contract.messages import Record
from lambdas.common.log import get_logger
from lambdas.common.paths import PathError
from lambdas.worker.activity import Activity
from lambdas.worker.prepare import Prepare
from lambdas.worker.work import Image

# Below the aggregator's hold-back (FANFOLD_MAX_WAIT_S) with the splitter's own patience after
# it: a short trouble of one worker costs no gap.
LET_GO_S = 3.0
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 0.5
#: In the place of a record: the image is given back.
GIVEN_BACK: Any = "given back"

_log = get_logger("worker")


class Hold:
    """Around `Prepare`, in the thread that decodes; `look` belongs to the heartbeat's."""

    def __init__(
        self,
        prepare: Prepare,
        activity: Activity,
        let_go_s: float = LET_GO_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`let_go_s` is infinite where nobody else could take the image."""
        self._prepare, self._activity, self._let_go_s = prepare, activity, let_go_s
        self._clock, self._sleep = clock, sleep
        self._waiting: Image | None = None
        self._since = 0.0
        #: Why images cannot be read now; "": they can.
        self.trouble = ""

    def __call__(self, image: Image, tensor: np.ndarray | None) -> Record | None:
        """As `Prepare`, or `GIVEN_BACK`."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                with self._activity.busy("decode"):
                    record = self._prepare(image, tensor)
            except (OSError, MemoryError) as error:
                self._begin(error, image)
                self._prepare.before_long()
                if self._clock() - self._since >= self._let_go_s:
                    return GIVEN_BACK  # type: ignore[no-any-return]
                self._sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            else:
                self._end()
                return record

    def look(self) -> None:
        """Whether the trouble is over, where no image comes that would tell."""
        image = self._waiting
        if image is None or self._clock() - self._since < self._let_go_s:
            return
        try:
            self._prepare.read(image)
        except PathError:
            self._end()
        except (OSError, MemoryError):
            pass
        else:
            self._end()

    def _begin(self, error: BaseException, image: Image) -> None:
        if not self.trouble:
            self._since = self._clock()
            _log.error(
                "cannot read %s, which is not its fault; it is tried again: %s",
                image.item["file"], _as_text(error),
            )  # fmt: skip
        self._waiting = image
        self.trouble = _as_text(error)

    def _end(self) -> None:
        if self.trouble:
            _log.warning("images can be read again after %.1f s", self._clock() - self._since)
        self._waiting = None
        self.trouble = ""


def _as_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
