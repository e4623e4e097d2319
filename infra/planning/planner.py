"""Profile + site + footprint → plan. Decides and explains; refuses nothing (see checks/)."""

from __future__ import annotations

from infra.planning.fields import Footprint
from infra.planning.functions import Functions, system_functions
from infra.planning.model import Isolation, Logger, Plan, Reason
from infra.planning.naming import Names
from infra.planning.placement import place
from infra.planning.profile import Profile
from infra.planning.reasons import Reasons, of_trials
from infra.planning.resources import Resources
from infra.planning.site import Site
from infra.planning.subscriptions import subscriptions


def plan_group(site: Site, profile: Profile, footprint: Footprint | None = None) -> Plan:
    """Plan the group of one site.

    `footprint` is the model package's own and wins over the site's. The result may break rules:
    `check` says which, all of them.
    """
    footprint = footprint or site.model.footprint
    isolation, why = _isolation(site, profile)
    placement = place(site, profile, footprint, isolation)
    names = Names(site)
    functions = Functions(site, profile, footprint, placement, isolation).all()
    devices = names.devices()
    system, loggers = system_functions(site), _loggers(site)
    return Plan(
        site=site,
        profile=profile,
        footprint=footprint,
        isolation=isolation,
        core=names.core(),
        devices=devices,
        functions=functions,
        system_functions=system,
        resources=Resources(site, profile, isolation).all(),
        subscriptions=subscriptions(site, functions, devices),
        loggers=loggers,
        reasons=(
            why,
            *of_trials(site),
            *placement.reasons,
            *Reasons(placement, footprint).all(functions, system, loggers),
        ),
    )


def _isolation(site: Site, profile: Profile) -> tuple[Isolation, Reason]:
    if site.isolation != "auto":
        return site.isolation, Reason(
            "isolation", site.isolation, "set in the site", "site: isolation"
        )
    if site.target == "v2":
        return "none", Reason(
            "isolation", "none", "a component has no rights for containers", "site: target"
        )
    chosen: Isolation = "container" if profile.containers.supported else "none"
    why = "the device runs containers" if chosen == "container" else "the device runs none"
    return chosen, Reason("isolation", chosen, why, "profile: containers.supported")


def _loggers(site: Site) -> tuple[Logger, ...]:
    level, space_kb = site.logging.level, site.logging.space_kb
    found = [
        Logger("system-file", "GreengrassSystem", "FileSystem", level, space_kb),
        Logger("lambda-file", "Lambda", "FileSystem", level, space_kb),
    ]
    if site.logging.cloudwatch:
        found += [
            Logger("system-cloud", "GreengrassSystem", "AWSCloudWatch", level, None),
            Logger("lambda-cloud", "Lambda", "AWSCloudWatch", level, None),
        ]
    return tuple(found)
