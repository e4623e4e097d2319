"""What a deployment needs of a group that runs, and of who runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from edgecore.core.group import Group


class Runnable(Protocol):
    """A group that runs, as far as a deployment cares."""

    @property
    def ports(self) -> Mapping[str, int | None]:
        """Kept over deployments, so that clients find the next group where this one was."""

    async def stop(self) -> None: ...


class Exchange(Protocol):
    """A running group takes another model, worker by worker."""

    async def run(self) -> str:
        """Empty, or why the new model's workers do not answer. Cancelled: it is left as it is."""


R = TypeVar("R", bound=Runnable)
Start = Callable[["Group", "Mapping[str, int | None]"], Awaitable[R]]
Report = Callable[[str, str, str], None]
"""Deployment id, ``Success`` or ``Failure``, the reason."""
FindExchange = Callable[[R, "Group"], "Exchange | None"]
"""How the running group becomes this one without a stop; None: it must be started anew."""


def no_exchange(_: Runnable, __: Group) -> Exchange | None:
    """Every new group is started anew."""
    return None
