"""The boxes of a site: its core, the further ones, and the operator's console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from contract.topics import NAME, is_name
from infra.planning.bundles import BUNDLE_WORDS, BundleFile
from infra.planning.cameras import Camera
from infra.planning.fields import AbsolutePath, CertificateArn, Footprint, Name, Record

CONSOLE = "console"
EACH_THING = "${thing}"
"""In a document for a thing group: the device puts its own thing name there."""


class Core(Record):
    """The thing that is the device, or a group of things that are alike."""

    thing: str = Field(
        default=EACH_THING,
        pattern=r"^([A-Za-z0-9:_-]{1,124}|\$\{thing\})$",
        description="Thing name of the core.",
    )
    group: Annotated[str, Field(pattern=r"^[A-Za-z0-9:_-]{1,128}$")] | None = Field(
        default=None,
        description="Targets iot and v2, instead of thing: a thing group, one site on many boxes.",
    )
    certificate: CertificateArn | None = Field(
        default=None, description="Its certificate; else looked up in `certificates`."
    )
    bundle: str | None = Field(
        default=None,
        description="Target iot: the version of the core that deployments bring, a file of "
        "`fanfold bundle` or an s3:// URI; absent: devices keep theirs.",
    )

    def contradictions(self) -> list[str]:
        if self.bundle is not None and BundleFile.of(self.bundle) is None:
            return [f"bundle {self.bundle}: is not named {BUNDLE_WORDS}"]
        if self.group is None and self.thing == EACH_THING:
            return ["thing: is missing; name the core's thing, or (target iot or v2) a group"]
        if self.group is not None and self.thing != EACH_THING:
            return [f"thing {self.thing} and group {self.group}: give one of them"]
        if self.group is not None and self.certificate is not None:
            return ["certificate: every box of a group has its own; remove it"]
        return []


class Console(Record):
    """The operator's own device on the local broker: thing {core thing}-console."""

    certificate: CertificateArn | None = Field(
        default=None, description="Its certificate; else looked up in `certificates`."
    )


class Volumes(Record):
    """Folders of the device; a path means the same inside a container."""

    images: AbsolutePath = Field(description="Images, and the drop folder below it.")
    state: AbsolutePath = Field(description="Journals of the splitter and the aggregator.")


class FurtherCore(Record):
    """A box beside `core`, which takes some of the site's cameras. It is a group of its own."""

    name: Name = Field(description="Its group and everything of it is called {site}-{name}.")
    thing: str = Field(pattern=r"^[A-Za-z0-9:_-]{1,124}$", description="Thing name of the core.")
    profile: str | None = Field(
        default=None, description="A file of device_profiles/; absent: the site's own."
    )
    footprint: Footprint | None = Field(
        default=None, description="What one copy of the model needs there; absent: the model's."
    )
    volumes: Volumes | None = Field(default=None, description="Absent: the site's own.")
    certificate: CertificateArn | None = Field(
        default=None, description="Its certificate; else looked up in `certificates`."
    )


def core_problems(
    site: str, core: Core, further: Sequence[FurtherCore], cameras: Sequence[Camera]
) -> list[str]:
    """What is wrong between the cores of a site and its cameras: `key: message` lines."""
    if not further:
        return [
            f"cameras: {camera.name}: core: the site has one core; remove it"
            for camera in cameras
            if camera.core is not None
        ]
    names = [site, *(each.name for each in further)]
    found = []
    if core.group is not None:
        found.append(f"cores: core is thing group {core.group}; name the thing of one box")
    for what, given in (("name", names), ("thing", [core.thing, *(c.thing for c in further)])):
        twice = [text for text, count in Counter(given).items() if count > 1]
        if twice:
            found.append(f"cores: {what} {', '.join(twice)} given twice; use each once")
    found += [
        f"cores: {name}: its group would be {site}-{name}, which is no name ({NAME})"
        for name in names[1:]
        if not is_name(f"{site}-{name}")
    ]
    found += [
        f"cameras: {camera.name}: core: {camera.core!r} is no core here; cores: {', '.join(names)}"
        for camera in cameras
        if camera.core is not None and camera.core not in names
    ]
    by_hand = {camera.core for camera in cameras if camera.core is not None}
    idle = [name for name in names if name not in by_hand]
    free = sum(camera.core is None for camera in cameras)
    if not found and len(idle) > free:
        found.append(
            f"cores: {', '.join(idle[free:])} has no camera: {len(cameras)} cameras, "
            f"{len(cameras) - free} of them by hand, for {len(names)} cores; remove a core"
        )
    return found
