"""The only place where topics are built (docs/spec/messages.md).

The Lambdas get these strings through their environment; none of them builds a topic except by
appending one stream or worker name to a prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Site, camera and worker names: one topic level each, and safe in thing names and ids.
NAME_CHARACTERS = 41
NAME = rf"[a-z0-9][a-z0-9-]{{0,{NAME_CHARACTERS - 1}}}"
_NAME = re.compile(NAME)

# The level after the site's name.
IMAGES, WORK, TENSOR, RESULTS, LATE = "images", "work", "tensor", "results", "late"
DONE, ACK, HEARTBEAT, JOBS, CONTROL, STATS = "done", "ack", "heartbeat", "jobs", "control", "stats"
# The level after a camera's, in the splitter's answers.
ACCEPTED, REJECTED = "accepted", "rejected"


def is_name(text: str) -> bool:
    """Whether a site, camera or worker can have this name."""
    return bool(_NAME.fullmatch(text))


def accepted(images_topic: str) -> str:
    """Where the splitter answers what came on `images_topic` once it is durable."""
    return f"{images_topic}/{ACCEPTED}"


def rejected(images_topic: str) -> str:
    """Where the splitter answers what it refused of `images_topic`, with a reason."""
    return f"{images_topic}/{REJECTED}"


@dataclass(frozen=True)
class Topics:
    """Topics of one site. Names that end in `_prefix` end in a slash and take one more level."""

    site: str
    #: Targets iot and v2: the core's thing, a level of what goes to the cloud; policies name it.
    core: str | None = None

    def __post_init__(self) -> None:
        if not is_name(self.site):
            raise ValueError(f"site name {self.site!r} does not match {NAME}")

    def _cloud(self, level: str) -> str:
        return "/".join(filter(None, ("fanfold", self.site, self.core, level)))

    def _local(self, *levels: str) -> str:
        return "/".join((self.site, *levels))

    @property
    def images_prefix(self) -> str:
        return self._local(IMAGES, "")

    @property
    def work_prefix(self) -> str:
        return self._local(WORK, "")

    @property
    def tensor_prefix(self) -> str:
        return self._local(TENSOR, "")

    @property
    def results_prefix(self) -> str:
        return self._local(RESULTS, "")

    @property
    def late_prefix(self) -> str:
        return self._local(LATE, "")

    @property
    def done(self) -> str:
        return self._local(DONE)

    @property
    def ack(self) -> str:
        return self._local(ACK)

    @property
    def heartbeat(self) -> str:
        return self._local(HEARTBEAT)

    @property
    def jobs(self) -> str:
        return self._local(JOBS)

    @property
    def control(self) -> str:
        return self._local(CONTROL)

    @property
    def stats(self) -> str:
        return self._local(STATS)

    @property
    def cloud_results(self) -> str:
        return self._cloud("results")

    @property
    def cloud_jobs(self) -> str:
        return self._cloud("jobs")

    @property
    def cloud_health(self) -> str:
        return self._cloud("health")

    def images(self, camera: str) -> str:
        """Where a camera publishes; `+` for any camera."""
        return self.images_prefix + camera

    def work(self, worker: str) -> str:
        """Where a worker gets its batches; `+` for any worker."""
        return self.work_prefix + worker

    def results(self, camera: str) -> str:
        return self.results_prefix + camera

    def late(self, camera: str) -> str:
        return self.late_prefix + camera

    def accepted(self, camera: str) -> str:
        return accepted(self.images(camera))

    def rejected(self, camera: str) -> str:
        return rejected(self.images(camera))
