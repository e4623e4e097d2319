"""What is known per stream: bounded, whatever a group invents as streams."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MAX_STREAMS = 2000
TOP = 50
"""Rows sent to the page: first those that wait for something, then the latest."""


@dataclass
class Stream:
    name: str
    images: int = 0
    failed: int = 0
    gaps: int = 0
    last_seq: int = 0
    last_t: float = 0.0
    held: int = 0


class StreamTable:
    """Least recently seen streams are forgotten above ``MAX_STREAMS``."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, Stream] = OrderedDict()

    def __len__(self) -> int:
        return len(self._streams)

    def results(self, name: str, counts: Mapping[str, int], last_seq: int, t: float) -> None:
        """``counts`` of records of one stream by status, ``last_seq`` the highest among them."""
        stream = self._seen(name)
        stream.last_seq = max(stream.last_seq, last_seq)
        stream.last_t = t
        gaps = counts.get("gap", 0)
        stream.gaps += gaps
        stream.images += sum(counts.values()) - gaps
        stream.failed += counts.get("failed", 0)

    def restore(self, totals: Mapping[str, Mapping[str, int]]) -> None:
        """What was counted before this core started, by stream."""
        for name, counted in totals.items():
            stream = self._seen(name)
            stream.failed += counted["failed"]
            stream.images += counted["ok"] + counted["failed"] + counted["dropped"]

    def reorder_buffer(self, held: Mapping[str, float]) -> None:
        """The aggregator names every stream that it holds back; the others hold nothing."""
        for stream in self._streams.values():
            stream.held = int(held.get(stream.name, 0))
        for name in list(held)[:MAX_STREAMS]:
            if name not in self._streams:
                self._seen(name).held = int(held[name])

    def top(self) -> list[dict[str, Any]]:
        seen_last_first = reversed(self._streams.values())  # a clock may be set back
        urgent = sorted(seen_last_first, key=lambda s: -s.held)[:TOP]
        return [asdict(s) for s in sorted(urgent, key=lambda s: s.name)]

    def _seen(self, name: str) -> Stream:
        stream = self._streams.setdefault(name, Stream(name))
        self._streams.move_to_end(name)
        if len(self._streams) > MAX_STREAMS:
            self._streams.popitem(last=False)
        return stream
