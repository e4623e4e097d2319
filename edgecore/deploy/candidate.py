"""A group whose model is compared with that of the running group, before it may replace it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from edgecore.deploy.interfaces import Canary, ended
from edgecore.deploy.outcomes import Outcomes

if TYPE_CHECKING:
    from edgecore.sources.load import LoadedGroup

log = logging.getLogger(__name__)

SUPERSEDED = "a newer deployment came"


class Candidate:
    """``compare``, and ``stop`` before the next. ``decided`` gets the group and why it is not
    wanted, or "" where it replaces the one that runs."""

    def __init__(
        self, outcomes: Outcomes, decided: Callable[[LoadedGroup, str], Awaitable[None]]
    ) -> None:
        self._outcomes, self._decided = outcomes, decided
        self.loaded: LoadedGroup | None = None
        self._task: asyncio.Task[None] | None = None

    def compare(self, canary: Canary, loaded: LoadedGroup) -> None:
        self.loaded = loaded
        self._outcomes.remember(loaded, "canary", "its model answers copies of live images first")
        self._task = asyncio.ensure_future(self._compare(canary, loaded))

    async def _compare(self, canary: Canary, loaded: LoadedGroup) -> None:
        try:
            await self._decided(loaded, await canary.run())
        except Exception:  # a full disk: whoever brought it brings it again
            log.exception("deployment %s is not applied", loaded.deployment_id)
        finally:  # not before: it would look like one that was superseded
            self._task = self.loaded = None

    async def stop(self, why: str = SUPERSEDED) -> None:
        """A newer deployment, or one that was taken back."""
        if self.loaded is not None:
            self._outcomes.remember(self.loaded, "canary ended", why)
        await self.interrupt()

    async def interrupt(self) -> None:
        """The core ends; a restart begins the comparison again."""
        await ended(self._task)
        self._task = self.loaded = None
