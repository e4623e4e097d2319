"""What a simulated site is made of: a hostile bus and its workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contract import messages as m
from lambdas.common.bus import Bus

if TYPE_CHECKING:
    from sim import Sim


@dataclass
class Hostility:
    """Rates of 0…1 per message between the parts; `delay_s` at most, which also reorders."""

    drop: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.5
    refuse: float = 0.0
    #: Of a publish: the process ends right after it, in the middle of its step.
    dies: float = 0.0


class EndedError(Exception):
    """The process of a part has ended here; what it had not committed is gone."""


class SimBus(Bus):
    def __init__(self, sim: Sim) -> None:
        self._sim = sim

    def publish(self, topic: str, payload: bytes) -> bool:
        assert len(payload) <= m.MAX_MESSAGE_BYTES
        chance, hostile = self._sim.random, self._sim.hostility
        if chance.random() < hostile.refuse:
            return False
        if not self._sim.cloud_takes and topic.startswith("fanfold/"):
            return False
        self._sim.send(topic, payload)
        if hostile.dies and chance.random() < hostile.dies:
            raise EndedError
        return True


@dataclass
class Worker:
    """Takes batches at once, works one image at a time, dies of poison.

    `queued`: what the core keeps for its next incarnation. `crashed`: how the earlier one ended.
    """

    name: str
    incarnation: int = 0
    up_at: float = 0.5
    frozen_until: float = 0.0
    batches: list[dict[str, Any]] = field(default_factory=list)
    queued: list[bytes] = field(default_factory=list)
    crashed: bool = False
    said_hello: str = ""
    left_s: float = 0.0
    heartbeat_at: float = 0.0
    handled: int = 0
    restarts: int = 0
