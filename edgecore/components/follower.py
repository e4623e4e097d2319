"""Follows the offers: a new model is exchanged without a restart of the core, and answered.

A nucleus gives the Model component three starts: what was refused is refused again without
another exchange, for as long as those starts count.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Protocol

from edgecore import deploy
from edgecore.components.offers import (
    FORMAT,
    Offer,
    OfferRefused,
    Places,
    load_offer,
    read_json,
    read_offer,
)
from edgecore.components.verdicts import PROVED, REFUSED, write_verdict
from edgecore.core.options import Options
from edgecore.sources import LoadedGroup
from edgecore.uplink.iot.waiting import set_within

log = logging.getLogger(__name__)

LOOK_S = 0.2
REFUSED_S = 3600.0
"""Both nuclei count starts over an hour."""


class Deployments(Protocol):
    """What the core does with a staged group (``edgecore.daemon.rollout``)."""

    @property
    def loaded(self) -> LoadedGroup | None: ...

    async def deploy(self, loaded: LoadedGroup) -> None:
        """Exchange the group; how it ended is found by ``outcome``."""

    def outcome(self, deployment_id: str) -> tuple[str, str] | None:
        """``Success`` or ``Failure`` and the reason; None: not decided, or not known."""

    def is_candidate(self, deployment_id: str) -> bool:
        """Whether a canary compares its model with the one that runs."""

    async def withdraw(self, deployment_id: str, why: str) -> None:
        """End its canary, if it is being compared; the group that runs is left as it is."""


class Follower:
    """``run`` until cancelled."""

    def __init__(self, options: Options, deployments: Deployments) -> None:
        self._state, self._places = options.state, Places.of(options)
        self._deployments = deployments
        self._wake = asyncio.Event()
        self._answered = str(read_json(self._places.verdict).get("nonce") or "")
        self._owed: dict[str, Any] = {}
        """The verdict that was given without its words."""

    def wake(self) -> None:
        """A deployment was decided."""
        self._wake.set()

    async def run(self) -> None:
        said = ""
        while True:
            try:
                await self._turn()
                said = ""
            except OSError as error:
                if str(error) != said:
                    log.warning("components: %s; free space there; tried again", error)
                said = str(error)
            await set_within(self._wake, LOOK_S)
            self._wake.clear()

    async def _turn(self) -> None:
        if self._owed:
            self._owed = write_verdict(self._places, self._owed)
        offer = read_offer(self._places)
        if offer is None or offer.nonce == self._answered:
            return
        try:
            loaded = await asyncio.to_thread(load_offer, self._places, offer, self._state)
        except OfferRefused as error:
            self._answer(offer, "", REFUSED, str(error))
            return
        if self._refused_lately(loaded.deployment_id):
            refusal = deploy.refused(self._state)
            self._answer(offer, loaded.deployment_id, REFUSED, refusal.reason if refusal else "")
            return
        try:
            status, reason = await self._exchanged(loaded, offer)
        except OSError as error:  # before anything was changed: what runs goes on
            status, reason = "Failure", (f"{offer.path.name}: cannot be applied in {self._state} "
                f"({error.strerror}); free space there and deploy again")  # fmt: skip
        verdict = PROVED if status == "Success" else REFUSED
        self._answer(offer, loaded.deployment_id, verdict, reason)

    async def _exchanged(self, loaded: LoadedGroup, offer: Offer) -> tuple[str, str]:
        """How the offered group ended, which may run here already."""
        wanted = loaded.deployment_id
        refusal = deploy.refused(self._state)
        if refusal is not None and refusal.deployment == wanted:
            deploy.forget(self._state)
        if self._runs() != wanted:
            await self._deployments.deploy(loaded)
        while (outcome := self._deployments.outcome(wanted)) is None:
            compared = self._deployments.is_candidate(wanted)
            if self._runs() != wanted and not compared:
                return "Failure", "another deployment came in between"
            if compared and read_offer(self._places) not in (offer, None):
                await self._deployments.withdraw(wanted, "another model is offered")
                return "Failure", "another model is offered"
            await set_within(self._wake, LOOK_S)
            self._wake.clear()
        return outcome

    def _runs(self) -> str | None:
        loaded = self._deployments.loaded
        return loaded.deployment_id if loaded is not None else None

    def _refused_lately(self, deployment: str) -> bool:
        refusal, last = deploy.refused(self._state), read_json(self._places.verdict)
        if refusal is None or refusal.deployment != deployment:
            return False
        told: Any = last.get("t")
        same = last.get("deployment") == deployment and isinstance(told, (int, float))
        return not same or 0 <= time.time() - told < REFUSED_S

    def _answer(self, offer: Offer, deployment: str, verdict: str, reason: str) -> None:
        """On disk for the Model component, which waits for its nonce."""
        last = read_json(self._places.verdict)
        again = verdict == REFUSED and last.get("deployment") == deployment and last.get("t")
        content = {
            "v": FORMAT, "nonce": offer.nonce, "deployment": deployment, "verdict": verdict,
            "reason": reason, "t": last["t"] if again else time.time(),
        }  # fmt: skip
        self._owed = write_verdict(self._places, content)
        self._answered = offer.nonce
        level = logging.INFO if verdict == PROVED else logging.ERROR
        log.log(level, "model %s: %s %s", offer.path.name, verdict, reason)
