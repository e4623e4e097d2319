"""The interface between the spool and wherever messages go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """``epoch`` names one spool database, ``id`` grows within it: together they are the
    key by which a receiver recognises a message that comes twice."""

    epoch: str
    id: int
    topic: str
    payload: bytes


class Unreachable(Exception):  # noqa: N818  (a state of the world, tried again)
    """The far side cannot be reached or is throttling: the same messages come again."""


class Refused(Exception):  # noqa: N818
    """The far side will never take the first message; it is dropped as ``reason``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class StaleEpoch(Exception):  # noqa: N818
    """The far side knows the first message's key with other content: the spool is older than
    what was sent from it before (a backup was restored). It is numbered anew."""


class Sink(Protocol):
    """Takes messages in order, at least once.

    ``deliver`` returns how many messages from the front are safe on the far side (at
    least one), or raises ``Unreachable`` (none is), ``StaleEpoch`` (none is) or ``Refused``
    (the first never will be). It is called with at most ``max_messages`` at a time: 1 is
    one in flight.
    """

    name: str
    max_messages: int

    async def deliver(self, messages: Sequence[Message]) -> int: ...

    async def close(self) -> None: ...
