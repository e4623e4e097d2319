"""Messages of the cloud to the group's functions and devices: subscriptions with source ``cloud``.

Only what the group subscribes to is asked for, and what comes is published as ``cloud`` by
the router: a topic that no subscription of the group takes reaches nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from contract.topic_filters import filter_problem, topic_problem
from edgecore.core.group import CLOUD, Group
from edgecore.core.router import Outcome
from edgecore.uplink.iot import quotas
from edgecore.uplink.iot.link import Link, Listener

log = logging.getLogger(__name__)

Publish = Callable[[str, str, bytes], Outcome]
"""The router's: source, topic, payload."""


class Downlink:
    """``show`` the group that runs; ``publish`` None: between two groups, nobody is there."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._publish: Publish | None = None
        self._listener: Listener | None = None
        self._filters: list[str] = []
        self.delivered = self.unrouted = self.refused = 0

    async def show(self, group: Group, publish: Publish) -> None:
        """Asks the cloud for what this group wants, and no longer for what the last one did."""
        self._publish = publish
        filters = wanted(group)
        if filters == self._filters:
            return
        if self._listener is not None:
            await self._link.leave(self._listener)
            self._listener = None
        self._filters = filters
        if filters:
            self._listener = await self._link.listen(filters, self._arrived)

    def status(self) -> dict[str, Any]:
        return {
            "filters": list(self._filters),
            "delivered": self.delivered,
            "unrouted": self.unrouted,
            "refused": self.refused,
        }

    def _arrived(self, topic: str, payload: bytes) -> None:
        problem = topic_problem(topic)
        if problem or len(payload) > quotas.MAX_PAYLOAD_BYTES or self._publish is None:
            log.warning("cloud: a message on %r is not taken: %s", topic, problem or "too large")
            self.refused += 1
            return
        outcome = self._publish(CLOUD, topic, payload)
        self.delivered += outcome.delivered
        self.refused += outcome.refused
        self.unrouted += not (outcome.delivered or outcome.refused)


def wanted(group: Group) -> list[str]:
    """The filters to subscribe to: one message is asked for once, however many take it."""
    subjects = sorted({s.subject for s in group.subscriptions if s.source == CLOUD})
    return widest(s for s in subjects if filter_problem(s) is None)


def widest(filters: Iterable[str]) -> list[str]:
    """Without those that another one covers."""
    given = list(filters)
    return [one for one in given if not any(o != one and covers(o, one) for o in given)]


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic of ``narrow`` is one of ``wide``."""
    return _covers(wide.split("/"), narrow.split("/"))


def _covers(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    for position, level in enumerate(wide):
        if level == "#":
            return not (position == 0 and narrow[0].startswith("$"))
        if position >= len(narrow) or narrow[position] == "#":
            return False
        if level == "+" and not (position == 0 and narrow[0].startswith("$")):
            continue
        if level != narrow[position]:
            return False
    return len(wide) == len(narrow)
