"""The only place where topics are built (docs/spec/messages.md).

The Lambdas get these strings through their environment; none of them builds a topic except by
appending one stream or worker name to a prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from infra.planning import limits

# Site, camera and worker names: one topic level each, and safe in thing names and ids.
NAME = r"[a-z0-9][a-z0-9-]{0,40}"
_NAME = re.compile(NAME)


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics of one site. Names that end in `_prefix` end in a slash and take one more level."""

    site: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.site):
            raise ValueError(f"site name {self.site!r} does not match {NAME}")

    def _local(self, *levels: str) -> str:
        return "/".join((self.site, *levels))

    @property
    def images_prefix(self) -> str:
        return self._local("images", "")

    @property
    def work_prefix(self) -> str:
        return self._local("work", "")

    @property
    def tensor_prefix(self) -> str:
        return self._local("tensor", "")

    @property
    def results_prefix(self) -> str:
        return self._local("results", "")

    @property
    def late_prefix(self) -> str:
        return self._local("late", "")

    @property
    def done(self) -> str:
        return self._local("done")

    @property
    def ack(self) -> str:
        return self._local("ack")

    @property
    def heartbeat(self) -> str:
        return self._local("heartbeat")

    @property
    def jobs(self) -> str:
        return self._local("jobs")

    @property
    def control(self) -> str:
        return self._local("control")

    @property
    def stats(self) -> str:
        return self._local("stats")

    @property
    def cloud_results(self) -> str:
        return f"fanfold/{self.site}/results"

    @property
    def cloud_jobs(self) -> str:
        return f"fanfold/{self.site}/jobs"

    @property
    def cloud_health(self) -> str:
        return f"fanfold/{self.site}/health"

    def images(self, camera: str) -> str:
        """Where a camera publishes; `+` for any camera."""
        return self.images_prefix + camera

    def accepted(self, camera: str) -> str:
        return f"{self.images(camera)}/accepted"

    def rejected(self, camera: str) -> str:
        return f"{self.images(camera)}/rejected"


def problems(topic: str) -> list[str]:
    """What Greengrass would refuse about a topic or filter; empty when it is fine."""
    found = []
    size = len(topic.encode())
    if size > limits.TOPIC_BYTES.value:
        found.append(f"{size} bytes long, {limits.TOPIC_BYTES} allowed")
    slashes = topic.count("/")
    if slashes > limits.TOPIC_SLASHES.value:
        found.append(f"{slashes} slashes, {limits.TOPIC_SLASHES} allowed")
    if not topic or topic.startswith("/") or "//" in topic:
        found.append("an empty level")
    levels = topic.split("/")
    if any(("+" in level or "#" in level) and len(level) > 1 for level in levels):
        found.append("a wildcard that does not fill its level")
    if "#" in levels[:-1]:
        found.append("'#' before the last level")
    return found
