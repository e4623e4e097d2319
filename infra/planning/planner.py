"""Profile + site + footprint → plan. Decides and explains; refuses nothing (see checks/)."""

from __future__ import annotations

from infra.planning import sizing
from infra.planning.fields import Footprint
from infra.planning.functions import Functions, system_functions
from infra.planning.model import Function, Isolation, Logger, Plan, Reason
from infra.planning.naming import Names
from infra.planning.placement import Placement, place
from infra.planning.profile import Profile
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
    return Plan(
        site=site,
        profile=profile,
        footprint=footprint,
        isolation=isolation,
        core=names.core(),
        devices=devices,
        functions=functions,
        system_functions=system_functions(site),
        resources=Resources(site, profile, isolation).all(),
        subscriptions=subscriptions(site, functions, devices),
        loggers=_loggers(site),
        reasons=(why, *placement.reasons, *_function_reasons(functions, placement, footprint)),
    )


def _isolation(site: Site, profile: Profile) -> tuple[Isolation, Reason]:
    if site.isolation != "auto":
        return site.isolation, Reason("isolation", site.isolation, "told to", "site: isolation")
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


def _function_reasons(
    functions: tuple[Function, ...], placement: Placement, footprint: Footprint | None
) -> list[Reason]:
    return [reason for each in functions for reason in _about(each, placement, footprint)]


def _about(function: Function, placement: Placement, footprint: Footprint | None) -> list[Reason]:
    found = [_memory_reason(function, footprint)]
    if function.role in {"inference", "pool"}:
        gpus = ",".join(str(gpu) for gpu in function.gpus) or "-1"
        copies = len(placement.gpu_ids)
        why = f"{copies} copies dealt round-robin" if function.gpus else "no GPU: -1 is the CPU"
        found.append(Reason(f"{function.id} GPU_ID", gpus, why, "profile: gpus"))
    key = "handler_s" if function.role in {"splitter", "aggregator"} else "worker_s"
    found.append(
        Reason(
            f"{function.id} timeout_s",
            str(function.timeout_s),
            "one call of the handler, a probe included",
            f"site: timeouts.{key}",
        )
    )
    return found


def _memory_reason(function: Function, footprint: Footprint | None) -> Reason:
    subject, value = f"{function.id} memory_kb", str(function.memory_kb)
    if function.role not in {"inference", "pool"}:
        why = f"what a {function.role} holds at its fullest, with headroom"
        return Reason(subject, value, why, "infra/planning/sizing.py")
    times = f"{function.processes} × " if function.role == "pool" else ""
    if footprint is None:
        why = f"{times}{sizing.DEFAULT_WORKER_KB} KB, as no footprint is known"
        return Reason(subject, value, why, "AWS's example of a GPU Lambda with MXNet")
    why = f"{times}({footprint.memory_kb} KB × {sizing.HEADROOM:g} + {sizing.BUFFERS_KB} KB)"
    return Reason(subject, value, why, "footprint: memory_kb")
