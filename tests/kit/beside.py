"""Something that goes on in a thread while a test does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Beside:
    """`goes_on` is called once, and returns when what it is given says so. Leaving the block ends
    it, and raises what it raised."""

    def __init__(self, goes_on: Callable[[Callable[[], bool]], object]) -> None:
        self._goes_on = goes_on
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._goes_on(self._stopping.is_set)
        except BaseException as error:
            self._failure = error

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def check(self) -> None:
        """Raises what it raised: for whoever waits for what it does."""
        if self._failure is not None:
            raise self._failure

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self.check()
