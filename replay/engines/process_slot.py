"""The model that a process keeps between shards, and the GPUs on which it sits.

A cluster hands GPUs from one process to another, while each keeps its model for the next shard. Who
is given a GPU asks for it at a socket named after it; whoever left a model there hears that and
ends it. So there is one model on a GPU, and it is loaded anew only where a GPU changes hands.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from replay.errors import CannotLoadError


class Ends(Protocol):
    def stop(self) -> None: ...


class ProcessSlot:
    """Of one process. `using` is for one shard at a time."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._kept: Ends | None = None
        self._key: Any = None
        self._held: list[socket.socket] = []

    @contextmanager
    def using(self, key: Any, gpus: Sequence[str], make: Callable[[], Any]) -> Iterator[Any]:
        """What `make` made for this key and these GPUs, the first time or again.

        `gpus`: names of GPUs that nobody else may use meanwhile, the same in all processes of the
        machine; waits until the process that was there has gone.
        """
        with self._busy:
            if (key, tuple(gpus)) != self._key:
                # First of all, so that two who exchange their GPUs do not wait for each other.
                self._give_up()
                self._held = [self._taken(gpu) for gpu in gpus]
                self._kept, self._key = make(), (key, tuple(gpus))
            try:
                yield self._kept
            except CannotLoadError:
                self._give_up()
                raise

    def _give_up(self) -> None:
        if self._kept is not None:
            self._kept.stop()
        self._kept = self._key = None
        for each in self._held:
            each.shutdown(socket.SHUT_RDWR)  # or its listener would hold the name
            each.close()
        self._held = []

    def _taken(self, gpu: str) -> socket.socket:
        name = f"\0fanfold-{os.getuid()}-{gpu}"  # a name without a file: it ends with the process
        while True:
            mine = socket.socket(socket.AF_UNIX)
            try:
                mine.bind(name)
                mine.listen()
            except OSError:
                mine.close()
                _ask_for(name)
                continue
            threading.Thread(target=self._listen, args=(mine,), daemon=True).start()
            return mine

    def _listen(self, mine: socket.socket) -> None:
        try:
            asking, _ = mine.accept()
        except OSError:  # given up already
            return
        with asking, self._busy:
            if mine in self._held:
                self._give_up()


def _ask_for(name: str) -> None:
    """Returns when who holds the name has gone, or has been asked."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(name)
            asking.recv(1)
        except OSError:
            return  # it has just gone
