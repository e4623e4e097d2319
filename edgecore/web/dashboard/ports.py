"""What the page needs of the core, and nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from contract.regions import VARIABLE as REGIONS
from contract.regions import Regions, regions_of
from contract.status import Status
from contract.topics import STATS, Topics, is_name
from edgecore.core.group import Group
from edgecore.core.observers import Message

__all__ = [
    "ActionRefusedError",
    "Actions",
    "Message",
    "MessageHub",
    "SiteView",
    "StatusProvider",
]


class StatusProvider(Protocol):
    def status(self) -> Status:
        """The ``/api/status`` object of docs/spec/core.md; cheap, called twice a second."""


class MessageHub(Protocol):
    def listen(
        self, filters: Sequence[str], capacity: int, linger_s: float = 0.0
    ) -> AsyncIterator[Message]:
        """Messages on any of the MQTT topic filters, from now on, until closed.

        A listener that falls ``capacity`` messages behind loses the oldest: the page must
        never slow the router down.
        """


class ActionRefusedError(Exception):
    """The core would not do it; the text is for the operator: subject, reason, remedy."""


class Actions(Protocol):
    @property
    def offered(self) -> Collection[str]:
        """Of ``restart``, ``drain``, ``publish``: what this core can do."""

    async def restart(self, function_id: str) -> None:
        """Restart one function. Raises ActionRefusedError."""

    async def drain(self, on: bool, workers: Sequence[str] | None) -> None:
        """Give these workers (None: all) no new work, or work again; what they have is finished.

        Raises ActionRefusedError.
        """

    async def acknowledge(self, alert: str) -> None:
        """Somebody knows of this alert. Raises ActionRefusedError: it is not on."""

    async def test_alerts(self) -> dict[str, str]:
        """Send a test every way; by way "" or the problem. Raises ActionRefusedError."""

    async def publish(self, topic: str, payload: bytes, source: str | None = None) -> int:
        """Publish as the site's console, as ``cloud``, or as a device of the group.

        How many targets got it. Raises ActionRefusedError.
        """


@dataclass(frozen=True, kw_only=True)
class SiteView:
    """Where a Fanfold group keeps things; all empty for a group of somebody else."""

    site: str = ""
    images_dir: str = ""
    cameras: tuple[str, ...] = ()
    cloud_topic: str = ""
    regions: Mapping[str, Regions] = field(default_factory=dict)

    @classmethod
    def of_group(cls, group: Group) -> SiteView:
        """Where this group keeps things, from its functions' environments."""
        return cls.of_environments([f.environment for f in group.lambdas])

    @classmethod
    def of_environments(cls, environments: Sequence[Mapping[str, str]]) -> SiteView:
        """From the environments of the group's functions (docs/spec/environment.md)."""
        merged: dict[str, str] = {}
        for environment in environments:
            if "FANFOLD_SITE" in environment:
                merged.update(environment)
        site = merged.get("FANFOLD_SITE", "")
        cameras = tuple(c for c in merged.get("FANFOLD_CAMERAS", "").split(",") if c)
        return cls(
            site=site if is_name(site) else "",
            images_dir=merged.get("FANFOLD_IMAGES_DIR", ""),
            cameras=cameras,
            cloud_topic=merged.get("FANFOLD_CLOUD_TOPIC", ""),
            regions=_regions(merged.get(REGIONS, "")),
        )

    @property
    def regions_of_all(self) -> dict[str, Regions]:
        """Of every camera; an empty one where nothing is declared."""
        return {camera: self.regions.get(camera, Regions()) for camera in self.cameras}

    @property
    def filters(self) -> tuple[str, ...]:
        """What the page listens to. Without a site: only stats, by their last level."""
        if not self.site:
            return (f"+/{STATS}",)
        topics = Topics(self.site)
        local = (
            topics.stats,
            topics.heartbeat,
            topics.jobs,
            topics.work("+"),
            topics.images("+"),
            topics.accepted("+"),
            topics.results("+"),
        )
        return (*local, self.cloud_topic) if self.cloud_topic else local


def _regions(text: str) -> dict[str, Regions]:
    """A group that the workers refuse has none to show."""
    try:
        return regions_of(text)
    except ValueError:
        return {}
