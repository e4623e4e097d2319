"""The reorder buffer of one stream. Pure: records and `now` in, steps out.

A number is **emitted** in its place, or announced as a **gap** when it held the others
too long; its record then comes **late**. `low` is the splitter's low watermark: everything below
has a committed record. What we have not got then was lost with somebody's disk. It is
emitted in its place without a record, and the caller writes one that says so.
"""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

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
    """`next`: the lowest number not emitted; `gaps`: numbers below it without a record.

    `elsewhere`: ranges that were recorded by a memory that is lost since; they are passed over.
    """

    def __init__(self, next_seq: int | None = None) -> None:
        self.next = next_seq
        self.held: dict[int, Any] = {}
        self.gaps: set[int] = set()
        self.elsewhere: list[tuple[int, int]] = []
        self._waits_since: float | None = None

    @property
    def low_watermark(self) -> int:
        """Everything up to here has its record."""
        return (min(self.gaps) if self.gaps else self.next or 1) - 1

    @property
    def top(self) -> int:
        """The highest number that was seen."""
        return max([(self.next or 1) - 1, *self.held, *(b for _, b in self.elsewhere)])

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
        if seq in self.held or (self.elsewhere and self._elsewhere(seq)):
            return DUPLICATE, []
        self.held[seq] = record
        return HELD, self.lost_below(low)

    def pass_over(self, open_ranges: Iterable[tuple[int, int]], upto: int) -> tuple[int, list[int]]:
        """The splitter's word on its numbers below `upto`: those outside `open_ranges` have
        records. How many of them are not known here, and which gaps are none any more."""
        begin = 1 if self.next is None else self.next
        done: list[tuple[int, int]] = []
        at = 1
        for first, last in [*sorted(open_ranges), (upto, upto)]:
            if at < first:
                done.append((at, first - 1))
            at = max(at, last + 1)
        closed = [gap for gap in self.gaps if any(a <= gap <= b for a, b in done)]
        self.gaps.difference_update(closed)
        told = _size(self.elsewhere, begin, self.held)
        self.elsewhere = [(max(a, begin), b) for a, b in done if b >= begin]
        unknown = max(0, _size(self.elsewhere, begin, self.held) - told) + len(closed)
        past = self._elsewhere(begin)
        if past and begin not in self.held:
            self.next = min([past + 1, *(n for n in self.held if n > begin)])
            self._waits_since = None
        return unknown, closed

    def _elsewhere(self, seq: int) -> int:
        """The end of the range of `elsewhere` that `seq` is in; 0: in none."""
        return next((b for a, b in self.elsewhere if a <= seq <= b), 0)

    def lost_below(self, low: int) -> list[Step]:
        """Numbers below `low` that nobody will deliver any more."""
        steps: list[Step] = []
        if self.gaps:
            steps += [Step(LATE, seq) for seq in sorted(self.gaps) if seq < low]
            self.gaps.difference_update(step.seq for step in steps)
        if self.next is None or low <= self.next:
            return steps
        while self.next < low:
            past = self._elsewhere(self.next)
            if past and self.next not in self.held:
                self.next = min([past + 1, low, *(n for n in self.held if n > self.next)])
                continue
            steps.append(Step(EMIT, self.next, self.held.pop(self.next, None)))
            self.next += 1
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
            past = self._elsewhere(self.next)
            if past:
                self.next = min(past + 1, *self.held)
                continue
            if self._waits_since is None:
                self._waits_since = now
            if now - self._waits_since < max_wait_s and len(self.held) <= max_hold:
                break
            # All numbers missing up to the next record have waited equally long.
            for seq in range(self.next, min(self.held)):
                if self._elsewhere(seq):
                    continue
                self.gaps.add(seq)
                steps.append(Step(GAP, seq))
            self.next = min(self.held)
        return steps


def _size(ranges: list[tuple[int, int]], begin: int, held: Iterable[int]) -> int:
    """How many numbers from `begin` on the ranges have, without those held."""
    ranges = [(max(a, begin), b) for a, b in ranges if b >= begin]
    inside = sum(1 for seq in held if any(a <= seq <= b for a, b in ranges))
    return sum(b - a + 1 for a, b in ranges) - inside
