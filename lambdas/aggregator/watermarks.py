"""Which streams' low watermarks an ack tells once a second: a thousand idle cameras cost no more
than some. Pure.
"""

from __future__ import annotations

from typing import Iterable, Mapping

from lambdas.aggregator.reorder import Stream

# Of those where nothing came: an ack that was lost is made up for within half a minute by a
# thousand streams, and within a second by so many.
IN_TURN = 32


class Watermarks:
    def __init__(self, streams: Mapping[str, Stream]) -> None:
        self._streams = streams
        self._came: set[str] = set()
        self._at = 0

    def came(self, names: Iterable[str]) -> None:
        """Something came of these streams: the next ack tells theirs."""
        self._came.update(names)

    def due(self) -> dict[str, int]:
        """Of the streams where something came since the last call, and of others in turn."""
        names = list(self._streams)
        if self._at >= len(names):
            self._at = 0
        in_turn = names[self._at : self._at + IN_TURN]
        self._at += IN_TURN
        told = self._came.union(in_turn)
        self._came.clear()
        streams = ((name, self._streams[name]) for name in sorted(told))
        return {name: stream.low_watermark for name, stream in streams if stream.next}
