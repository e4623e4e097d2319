"""Which copies are under way, and whose answers to one image belong together. Pure.

A batch of the splitter's is copied whole, one at a time for each canary worker; the images of
the batches in between are not compared. Answers of the old model come by the group's own
messages, those of the new one by the lane's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from contract.messages import Record

PAIR_LIMIT_S = 120.0
"""An answer that takes longer is not waited for: the old model's may be gone with a worker."""
Key = tuple[str, int]
"""Stream and sequence number."""


@dataclass
class Copy:
    """One batch that a canary worker was given; ``open``: images that it has not answered."""

    worker: str
    began: float
    open: set[Key] = field(default_factory=set)


class Pairs:
    """``begin`` a copy, ``old`` and ``new`` as answers come, ``finished`` pairs out."""

    def __init__(self) -> None:
        self._copies: dict[str, Copy] = {}
        self._awaited: dict[Key, float] = {}
        self._old: dict[Key, Record] = {}
        self._new: dict[Key, Record] = {}

    @property
    def waiting(self) -> bool:
        """Whether an answer of the old model could still be of use."""
        return bool(self._awaited)

    def busy(self, worker: str) -> bool:
        return any(copy.worker == worker for copy in self._copies.values())

    def knows(self, batch: str) -> bool:
        """Whether a canary worker still has it to answer."""
        return batch in self._copies

    def begin(self, batch: str, worker: str, items: list[Record], now: float) -> None:
        keys = {key_of(item) for item in items} - self._awaited.keys()
        self._copies[batch] = Copy(worker, now, set(keys))
        self._awaited.update(dict.fromkeys(keys, now))

    def old(self, record: Record) -> None:
        if (key := key_of(record)) in self._awaited and key not in self._old:
            self._old[key] = record

    def new(self, batch: str, record: Record) -> None:
        """Of a copy that is not known (any more) nothing is kept."""
        copy, key = self._copies.get(batch), key_of(record)
        if copy is None or key not in copy.open:
            return
        copy.open.discard(key)
        self._new[key] = record
        if not copy.open:
            del self._copies[batch]

    def finished(self) -> Iterator[tuple[Record, Record]]:
        """Old and new record of each image that has both, once."""
        for key in self._old.keys() & self._new.keys():
            del self._awaited[key]
            yield self._old.pop(key), self._new.pop(key)

    def died(self, worker: str) -> int:
        """How many images its process had not answered; they are out of the comparison."""
        lost = [batch for batch, copy in self._copies.items() if copy.worker == worker]
        keys = {key for batch in lost for key in self._copies.pop(batch).open}
        self._forget(keys)
        return len(keys)

    def expire(self, now: float) -> int:
        """Images of which an answer did not come in time."""
        for batch in [b for b, c in self._copies.items() if now - c.began > PAIR_LIMIT_S]:
            del self._copies[batch]
        late = {key for key, began in self._awaited.items() if now - began > PAIR_LIMIT_S}
        self._forget(late)
        return len(late)

    def _forget(self, keys: set[Key]) -> None:
        for key in keys:
            for known in (self._awaited, self._old, self._new):
                known.pop(key, None)


def key_of(record: Record) -> Key:
    return str(record.get("stream")), int(record.get("seq") or 0)
