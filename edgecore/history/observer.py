"""Results on their way past the router, held for the writer: bounded, and never waited for."""

from __future__ import annotations

from collections import deque

from edgecore.core.observers import Message

MAX_MESSAGES = 20_000
MAX_BYTES = 32 << 20
_RECORD = b'"status"'


class ResultsObserver:
    """``offer`` in the core's loop, ``take`` in the writer's thread."""

    def __init__(self, prefixes: tuple[str, ...] = ()) -> None:
        self.prefixes = prefixes
        self._queue: deque[Message] = deque()
        self._in_bytes = self._out_bytes = 0
        self.dropped_rows = 0

    def offer(self, message: Message) -> None:
        """The newest is left out where the writer is that far behind: what is older came first."""
        if not (self.prefixes and message.topic.startswith(self.prefixes)):
            return
        waiting = self._in_bytes - self._out_bytes
        if len(self._queue) >= MAX_MESSAGES or waiting >= MAX_BYTES:
            self.dropped_rows += message.payload.count(_RECORD)
            return
        self._in_bytes += len(message.payload)
        self._queue.append(message)

    def take(self, most: int) -> list[Message]:
        taken: list[Message] = []
        while len(taken) < most:
            try:
                taken.append(self._queue.popleft())
            except IndexError:
                break
        self._out_bytes += sum(len(m.payload) for m in taken)
        return taken
