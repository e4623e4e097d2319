"""The reorder buffer of one stream. Pure: records and `now` in, steps out.

A number is **emitted** in its place, or announced as a **gap** when it held the others
too long; its record then comes **late**. `low` is the splitter's low watermark: everything below
has a committed record. What we have not got then was lost with somebody's disk. It is
emitted in its place without a record, and the caller writes one that says so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# No splitter has a backlog as large; a `low` that jumps further is not one of ours.
MAX_JUMP = 2_000_000

EMIT, GAP, LATE = "emit", "gap", "late"
HELD, DUPLICATE, REFUSED = "held", "duplicate", "refused"


class Step(NamedTuple):
    """`record` is None for a gap and for what is lost."""

    kind: str
    seq: int
    record: Any = None


class Stream:
    """`next`: the lowest number not emitted; `gaps`: numbers below it without a record."""

    def __init__(self, next_seq: int | None = None) -> None:
        self.next = next_seq
        self.held: dict[int, Any] = {}
        self.gaps: set[int] = set()
        self._waits_since: float | None = None

    @property
    def low_watermark(self) -> int:
        """Everything up to here has its record."""
        return (min(self.gaps) if self.gaps else self.next or 1) - 1

    @property
    def top(self) -> int:
        """The highest number that was seen."""
        return max(self.held) if self.held else (self.next or 1) - 1

    def offer(self, seq: int, low: int, record: Any) -> tuple[str, list[Step]]:
        """Take one record: what became of it, and what can be emitted at once."""
        if self.next is None:
            self.next = min(low, seq)
        if low > seq or max(seq, low) - self.next > MAX_JUMP:
            return REFUSED, []
        steps: list[Step] = []
        if seq < self.next:
            if seq not in self.gaps:
                return DUPLICATE, []
            self.gaps.discard(seq)
            steps.append(Step(LATE, seq, record))
            return LATE, steps + self.lost_below(low)
        if seq in self.held:
            return DUPLICATE, []
        self.held[seq] = record
        return HELD, self.lost_below(low)

    def lost_below(self, low: int) -> list[Step]:
        """Numbers below `low` that nobody will deliver any more."""
        steps = [Step(LATE, seq) for seq in sorted(self.gaps) if seq < low]
        self.gaps.difference_update(step.seq for step in steps)
        if self.next is None or low <= self.next:
            return steps
        for seq in range(self.next, low):
            steps.append(Step(EMIT, seq, self.held.pop(seq, None)))
        self.next = low
        self._waits_since = None
        return steps

    def release(self, now: float, max_wait_s: float, max_hold: int) -> list[Step]:
        """What may be emitted now, in order."""
        steps: list[Step] = []
        while self.held:
            assert self.next is not None  # noqa: S101 - held implies started
            if self.next in self.held:
                steps.append(Step(EMIT, self.next, self.held.pop(self.next)))
                self.next += 1
                self._waits_since = None
                continue
            if self._waits_since is None:
                self._waits_since = now
            if now - self._waits_since < max_wait_s and len(self.held) <= max_hold:
                break
            # All numbers missing up to the next record have waited equally long.
            for seq in range(self.next, min(self.held)):
                self.gaps.add(seq)
                steps.append(Step(GAP, seq))
            self.next = min(self.held)
        return steps
