"""A finished batch → messages to the aggregator."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from contract.messages import Record, done_messages, result_failed
from lambdas.common.bus import Bus
from lambdas.common.log import get_logger
from lambdas.worker.work import Batch

# Each attempt already waits out a full queue for `timing.PUBLISH_GIVE_UP_S`. After them the batch
# is no longer in hand, and the splitter, which sees that in the heartbeats, sends it again.
ATTEMPTS = 3

_log = get_logger("send")


class Identity(NamedTuple):
    """Who speaks: `incarnation` is new at every start; the rest as in `Heartbeat`."""

    worker: str
    incarnation: str
    model: Record
    earlier_end: str = ""
    accelerators: Sequence[Record] = ()

    @property
    def author(self) -> tuple[str, str, Record]:
        """What goes with every result."""
        return self.worker, self.incarnation, self.model


class Sender:
    def __init__(self, bus: Bus, topic: str, identity: Identity) -> None:
        self._bus, self._topic, self.identity = bus, topic, identity

    def send(self, batch: Batch) -> None:
        """Publish the results of a batch, in one message where they fit."""
        for message in self._messages(batch):
            if not any(self._bus.publish(self._topic, message) for _ in range(ATTEMPTS)):
                _log.error("results of %s not taken by the core; it will ask again", batch.id)

    def _messages(self, batch: Batch) -> list[bytes]:
        head = (batch.id, *self.identity.author)
        try:
            return done_messages(*head, batch.records)
        except (TypeError, ValueError) as error:  # what a hook returned and JSON cannot say
            detail = f"the output is not JSON: {error}"
            batch.results[:] = [
                result and result_failed(item, "model_error", detail)
                for item, result in zip(batch.items, batch.results)
            ]
            return done_messages(*head, batch.records)
