"""Images that have no committed record yet, in order per stream, fair between streams."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import deque
from typing import Any, Dict, Iterator, cast

from contract.messages import dumps, to_ranges
from contract.volumes import INBOX

Item = Dict[str, Any]
INSIDE = f"{INBOX}/"
STREAMS_TOLD = 256
LOOK_AHEAD = 256


class Image:
    """One image between acceptance and its committed record.

    `deaths`: how many workers died or hung with it in hand. `batch`: where it is now. `text`: its
    item as the journal and its worker get it, which is read for what is rare only. `own`: its
    file in custody, "" for none; `inside`: it came in a message; `size`: its bytes.
    """

    __slots__ = (
        "attempt", "batch", "deaths", "ends", "inside", "killed", "own", "seq", "size", "stream",
        "terminal", "text",
    )  # fmt: skip

    def __init__(
        self,
        item: Item,
        terminal: str | None = None,
        text: str = "",
        own: tuple[str, int] | None = None,
    ) -> None:
        """`text`: the item's, where it is there; `own`: name and size of its file in custody, where
        only `text` tells them."""
        self.text = text or dumps(item)
        if own is None:
            own = (item.get("kept") or "", (item.get("stat") or (0,))[0])
        self.own, self.size = own
        self.inside = not self.own and item.get("file", "").startswith(INSIDE)
        if self.inside:
            self.own = item["file"]
        self.stream: str = item["stream"]
        self.seq: int = item["seq"]
        self.terminal = terminal
        self.attempt = 0
        self.deaths = 0
        self.ends: tuple[int, ...] = ()
        self.killed: tuple[str, ...] = ()
        self.batch: Any = None

    @property
    def item(self) -> Item:
        """A copy."""
        return cast(Item, json.loads(self.text))

    def __lt__(self, other: Image) -> bool:
        return self.seq < other.seq


class _Stream:
    """`in_turn`: it is among those that may have an image waiting."""

    __slots__ = ("again", "fresh", "in_turn", "low", "open")

    def __init__(self, low: int) -> None:
        self.in_turn = False
        self.low = low
        self.open: dict[int, Image] = {}
        self.fresh: deque[Image] = deque()
        self.again: list[Image] = []

    def peek(self) -> Image | None:
        """The lowest number that waits; what is closed or terminated meanwhile falls out."""
        while self.again and not self._waits(self.again[0]):
            heapq.heappop(self.again)
        while self.fresh and not self._waits(self.fresh[0]):
            self.fresh.popleft()
        if self.again and (not self.fresh or self.again[0].seq < self.fresh[0].seq):
            return self.again[0]
        return self.fresh[0] if self.fresh else None

    def pop(self, image: Image) -> None:
        if self.again and self.again[0] is image:
            heapq.heappop(self.again)
        else:
            self.fresh.popleft()

    def in_order(self) -> Iterator[Image]:
        """All that wait, lowest number first."""
        self.peek()
        return filter(self._waits, heapq.merge(sorted(self.again), self.fresh))

    def _waits(self, image: Image) -> bool:
        return self.open.get(image.seq) is image and not image.terminal and image.batch is None


class Backlog:
    """Everything outstanding. `waiting` counts what no worker has."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        # Those with an open image, the same objects: what is told once a second walks no others.
        self._busy: dict[str, _Stream] = {}
        # Only those with an image that waits: an idle camera costs the others nothing.
        self._turn: deque[_Stream] = deque()
        self._suspects: list[Image] = []
        self.outstanding = 0
        self.waiting = 0

    def add(self, image: Image) -> None:
        """A newly accepted image; numbers of a stream are added in order."""
        stream = self._streams.get(image.stream)
        if stream is None:
            stream = self._streams[image.stream] = _Stream(image.seq)
        if not stream.open:
            stream.low = image.seq
            self._busy[image.stream] = stream
        stream.open[image.seq] = image
        self.outstanding += 1
        if not image.terminal:
            stream.fresh.append(image)
            self.waiting += 1
            self._queue(stream)

    def add_earlier(self, images: list[Image]) -> None:
        """Terminated images of one stream, whatever their numbers: found open after all."""
        for image in images:
            self.add(image)
        stream = self._streams[images[0].stream]
        stream.open = dict(sorted(stream.open.items()))
        stream.low = next(iter(stream.open))

    def again(self, image: Image) -> None:
        """An image that a worker no longer has."""
        image.batch = None
        if image.terminal is None and self.get(image.stream, image.seq) is image:
            stream = self._streams[image.stream]
            heapq.heappush(stream.again, image)
            self.waiting += 1
            self._queue(stream)

    def _queue(self, stream: _Stream) -> None:
        if not stream.in_turn:
            stream.in_turn = True
            self._turn.append(stream)

    def suspect(self, image: Image) -> None:
        """An image that goes alone from now on: a worker ended with it in hand."""
        image.batch = None
        if image.terminal is None and self.get(image.stream, image.seq) is image:
            heapq.heappush(self._suspects, image)
            self.waiting += 1

    def next_suspect(self) -> Image | None:
        """The suspect to try next; it stays until `take_suspect`."""
        while self._suspects:
            image = self._suspects[0]
            if self.get(image.stream, image.seq) is image and image.terminal is None:
                return image
            heapq.heappop(self._suspects)
        return None

    def take_suspect(self) -> Image:
        self.waiting -= 1
        return heapq.heappop(self._suspects)

    def take(self, count: int) -> list[Image]:
        """Up to `count` images that wait, one of each stream in turn, lowest number first."""
        taken: list[Image] = []
        while len(taken) < count and self._turn:
            stream = self._turn.popleft()
            image = stream.peek()
            if image is None:
                stream.in_turn = False
                continue
            self._turn.append(stream)
            stream.pop(image)
            self.waiting -= 1
            taken.append(image)
        return taken

    def get(self, stream: str, seq: int) -> Image | None:
        found = self._streams.get(stream)
        return found.open.get(seq) if found else None

    def close(self, stream: str, first: int, last: int) -> list[Image]:
        """Numbers `first … last` are committed downstream; returns what was open of them."""
        found = self._streams.get(stream)
        if found is None or not found.open:
            return []
        first = max(first, found.low)
        if last - first + 1 > len(found.open):
            numbers = [seq for seq in found.open if first <= seq <= last]
        else:
            numbers = [seq for seq in range(first, last + 1) if seq in found.open]
        closed = [found.open.pop(seq) for seq in numbers]
        for image in closed:
            if image.batch is None and image.terminal is None:
                self.waiting -= 1
        self.outstanding -= len(closed)
        if not found.open:
            del self._busy[stream]
        return closed

    def terminate(self, image: Image, terminal: str) -> None:
        """`image` gets the splitter's own terminal record: no worker gets it any more."""
        if image.batch is None and image.terminal is None:
            self.waiting -= 1
        image.batch = None
        image.terminal = terminal

    def low(self, stream: str) -> int:
        """The lowest number without a committed record; call it for streams that have one."""
        found = self._streams[stream]
        if found.open and found.low not in found.open:
            found.low = _next_open(found.open, found.low)
        return found.low

    def open_ranges(self, stream: str, limit: int) -> list[list[int]]:
        """Its numbers without a committed record; what would not fit counts as open, too."""
        found = self._streams.get(stream)
        ranges = to_ranges(found.open) if found else []
        return (
            [*ranges[: limit - 1], [ranges[limit - 1][0], ranges[-1][1]]]
            if (len(ranges) > limit)
            else ranges
        )

    def by_stream(self) -> dict[str, int]:
        """Images without a committed record, of streams that have any: for a message, so of
        `STREAMS_TOLD` at most."""
        counts = ((name, len(stream.open)) for name, stream in self._busy.items())
        return dict(itertools.islice(counts, STREAMS_TOLD))

    def __iter__(self) -> Iterator[Image]:
        for stream in self._busy.values():
            yield from stream.open.values()

    def oldest_waiting(self) -> Iterator[Image]:
        """Images that nobody has, stream by stream, each one's oldest first; suspects last."""
        for stream in self._busy.values():
            yield from stream.in_order()
        for image in sorted(self._suspects):
            if self.get(image.stream, image.seq) is image and image.terminal is None:
                yield image


def _next_open(numbers: dict[int, Image], low: int) -> int:
    """The lowest of `numbers`, of which none is below `low`. Numbers follow one another: a dict's
    first key is found by passing every one that was ever removed before it."""
    for number in range(low + 1, low + LOOK_AHEAD):
        if number in numbers:
            return number
    # Images are added in order and dicts keep it, so the first key is the lowest.
    return next(iter(numbers))
