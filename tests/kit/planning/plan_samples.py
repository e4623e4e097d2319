"""Sites and profiles that tests start from."""

from __future__ import annotations

from typing import Any

from checkout import PROJECT

from infra.planning import (
    Footprint,
    Plan,
    Profile,
    Site,
    StageTimes,
    load_profile,
    plan_group,
    render,
)

PROFILES = PROJECT / "device_profiles"
SITES = PROJECT / "sites"
STRATEGIES = ("pinned", "decoupled", "pool", "on_demand")
PROFILE_NAMES = sorted(path.stem for path in PROFILES.glob("*.yaml"))

FOOTPRINT = Footprint(
    memory_kb=1_000_000, gpu_memory_mb=1_100, ms=StageTimes(transform=10.0, inference=35.0)
)


def profile(name: str = "two-gpu-industrial-pc", **changed: Any) -> Profile:
    """A shipped profile with some fields changed, validated again."""
    found = load_profile(PROFILES / f"{name}.yaml")
    return Profile.model_validate({**found.model_dump(), **changed})


def site(**changed: Any) -> Site:
    """A plain site with some fields changed, validated."""
    plain = {
        "name": "press",
        "profile": "two-gpu-industrial-pc",
        "account": "123456789012",
        "region": "eu-west-1",
        "core": {"thing": "press-core"},
        "model": {
            "s3_uri": "s3://greengrass-press/models/defects/1.0.0.tar.gz",
            "footprint": FOOTPRINT.model_dump(),
        },
        "cameras": ({"name": "top"}, {"name": "side"}),
        "volumes": {"images": "/srv/press/images", "state": "/srv/press/state"},
    }
    return Site.model_validate({**plain, **changed})


def plan(on: Profile | None = None, **changed: Any) -> Plan:
    """The plan of a plain site with some fields changed."""
    return plan_group(site(**changed), on or profile())


def document(name: str, strategy: str) -> dict[str, Any]:
    """The group document of a plain site on the shipped profile ``name``."""
    return render(plan(on=profile(name), profile=name, strategy=strategy))
