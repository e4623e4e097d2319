"""What the driver asks of an engine, and what engines tell."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from replay.cut import Shard
from replay.errors import ReplayError
from replay.shard import Outcome


class Done(NamedTuple):
    outcome: Outcome


class Ended(NamedTuple):
    """A process ended with these in hand."""

    shards: list[Shard]
    how: str


class CameBack(NamedTuple):
    """To be tried again, through no fault of its own: `why` is said."""

    shard: Shard
    why: str


class Unable(NamedTuple):
    """It cannot be done there, for a reason of that place: another one may. `where`: a node."""

    shard: Shard
    where: str
    error: ReplayError


class Notice(NamedTuple):
    """For who watches; of no shard."""

    message: str


Event = Done | Ended | CameBack | Unable | Notice


class Engine(Protocol):
    #: Whether each shard has a process to itself, so that an end accuses one shard only.
    isolates: bool

    @property
    def places(self) -> int:
        """How many machines take shards now."""

    def room(self) -> int:
        """How many more shards it takes now."""

    def submit(self, shard: Shard) -> None: ...

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened, at once when there is something; [] after `timeout_s`."""

    def stop(self) -> None:
        """End what is under way; nothing half written stays."""
