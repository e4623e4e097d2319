"""What the deployment manager is given: how a group starts, who is told, what compares models."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from edgecore.core.group import Group
    from edgecore.sources.load import LoadedGroup

log = logging.getLogger(__name__)


class Runnable(Protocol):
    """A group that runs, as far as a deployment cares."""

    @property
    def ports(self) -> Mapping[str, int | None]:
        """Kept over deployments, so that clients find the next group where this one was."""

    async def stop(self) -> None: ...


class Swap(Protocol):
    """A running group takes another model, worker by worker."""

    async def run(self) -> str:
        """Empty, or why the new model's workers do not answer. Cancelled: it is left as it is."""


R = TypeVar("R", bound=Runnable)
Start = Callable[["Group", "Mapping[str, int | None]"], Awaitable[R]]
Report = Callable[[str, str, str], None]
"""Deployment id, ``Success`` or ``Failure``, the reason."""


class Canary(Protocol):
    """Compares another group's model with the one that runs, before it may replace it."""

    async def run(self) -> str:
        """Why the new one is not wanted; "": it is. Cancelled when a newer deployment comes."""


FindCanary = Callable[["LoadedGroup", "LoadedGroup"], "Canary | None"]
"""The group that runs and the new one; None: nothing is compared before the switch."""


def nobody(_loaded: LoadedGroup) -> None:
    pass


def no_canary(_running: LoadedGroup, _new: LoadedGroup) -> Canary | None:
    return None


FindSwap = Callable[[R, "Group"], "Swap | None"]
"""How the running group becomes this one without a stop; None: it must be started anew."""


def no_swap(_: Runnable, __: Group) -> Swap | None:
    """Every new group is started anew."""
    return None


def now() -> float:
    """The loop's clock, seconds."""
    return asyncio.get_running_loop().time()


def begun(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task whose fault is said when it happens, and concerns nobody who ends it later."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_log_error)
    return task


def _log_error(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a task in the background ended", exc_info=error)


async def ended(task: asyncio.Task[None] | None) -> None:
    """Cancelled, and gone; a fault of its own was said by then."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
