"""A site with several cores is several sites that share a place: one for each box.

Each has a group, a broker, journals and stacks of its own, named {site} (the first box) and
{site}-{core}; they share one results bucket. Whatever works for a site works for a box.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from infra.planning.cameras import Camera
from infra.planning.capacity import capacity
from infra.planning.cores import Console, Core, FurtherCore
from infra.planning.dealing import deal
from infra.planning.planner import plan_group
from infra.planning.profile import Profile
from infra.planning.site import Site
from infra.planning.storage import bucket_name


@dataclass(frozen=True, slots=True)
class Dealing:
    """`cameras`: camera → core. `capacities`: core → what it can do, in `unit`."""

    cameras: Mapping[str, str]
    by_hand: frozenset[str]
    capacities: Mapping[str, float]
    unit: str

    def of(self, core: str) -> list[str]:
        return [camera for camera, taker in self.cameras.items() if taker == core]


def core_names(site: Site) -> tuple[str, ...]:
    """The first is the site's own name."""
    return (site.name, *(core.name for core in site.cores))


def box_name(site: str, core: str) -> str:
    """Of a core's group, stacks, topics and state."""
    return site if core == site else f"{site}-{core}"


def dealing(site: Site, profiles: Mapping[str, Profile]) -> Dealing:
    """`profiles`: core → its profile."""
    plans = {
        core: plan_group(_any_camera(_as_core(site, core)), profiles[core])
        for core in core_names(site)
    }
    rates = {core: capacity(plan)[0] for core, plan in plans.items()}
    known = {core: rate for core, rate in rates.items() if rate}
    whole = len(known) == len(plans)
    able = known if whole else {core: float(plan.copies) for core, plan in plans.items()}
    by_hand = {camera.name: camera.core for camera in site.cameras if camera.core is not None}
    names = [camera.name for camera in site.cameras]
    unit = "images/s" if whole else "copies of the model (the footprint has no times)"
    return Dealing(deal(names, able, by_hand), frozenset(by_hand), able, unit)


def boxes_of(site: Site, dealt: Dealing | None) -> dict[str, Site]:
    """Core → its box. A site with one core, which deals nothing, is its own."""
    if dealt is None:
        return {site.name: site}
    return {core: _box(site, core, dealt.of(core)) for core in core_names(site)}


def _box(site: Site, core: str, names: list[str]) -> Site:
    cameras = tuple(camera for camera in site.cameras if camera.name in names)
    rules = tuple(rule for rule in site.alerts.rules if rule.camera in {None, *names})
    share = len(names) / len(site.cameras)
    load = site.load and site.load.model_copy(
        update={"images_per_day": max(1, round(site.load.images_per_day * share))}
    )
    return _as_core(site, core).model_copy(
        update={
            "cameras": cameras,
            "alerts": site.alerts.model_copy(update={"rules": rules}),
            "history": site.history.for_cameras(names),
            "load": load,
        }
    )


def _as_core(site: Site, core: str) -> Site:
    """The site with this core only, cameras aside."""
    alone = site.model_copy(update={"cores": ()})
    further = next((each for each in site.cores if each.name == core), None)
    return alone if further is None else _further(alone, further)


def _further(site: Site, core: FurtherCore) -> Site:
    cloud = site.cloud
    if cloud.store is not None:
        # The first box's stack makes the bucket; for the others it is one that exists.
        store = cloud.store.model_copy(update={"bucket": cloud.store.bucket or bucket_name(site)})
        cloud = cloud.model_copy(update={"store": store})
    name, own = box_name(site.name, core.name), site.certificates
    return site.model_copy(
        update={
            "name": name,
            "profile": core.profile or site.profile,
            "core": Core(thing=core.thing, certificate=core.certificate, bundle=site.core.bundle),
            "console": Console(),
            "model": site.model.model_copy(
                update={"footprint": core.footprint or site.model.footprint}
            ),
            "volumes": core.volumes or site.volumes,
            "certificates": own and _beside(own, core.name),
            "cloud": cloud,
        }
    )


def _beside(certificates: str, core: str) -> str:
    path = PurePosixPath(certificates)
    return str(path.with_stem(f"{path.stem}-{core}"))


def _any_camera(site: Site) -> Site:
    """What a box can do does not depend on the cameras that it gets."""
    return site.model_copy(update={"cameras": (Camera(name="any"),)})
