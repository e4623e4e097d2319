"""A deployment of target v2, watched: CloudFormation does not wait for devices."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from fanfold.cloud.access import Access, explained
from fanfold.common import output
from fanfold.common.errors import FAILED, INVALID, UserError
from infra.planning import Site
from infra.targets.v2.names import V2Names

LOOK_EVERY_S = 1.0
BAD = ("FAILED", "REJECTED", "TIMED_OUT")


def await_components(access: Access, site: Site, wait_s: float) -> None:
    """Until each device has ended, or the time is up. Raises UserError where one has failed."""
    greengrass, target = access.client("greengrassv2"), target_of(site)
    deadline = time.monotonic() + wait_s
    with explained(access, f"deployment of {site.name}"):
        while True:
            told = dict(_told(access, greengrass, site, target))
            failed = {t: reason for t, (status, reason) in told.items() if status in BAD}
            if failed:
                thing, reason = next(iter(failed.items()))
                said = (
                    f"{site.name}: {len(failed)} of {len(told)} devices failed; {thing}: {reason}"
                )
                raise UserError(f"{said}. See the nucleus's log there", FAILED)
            done = sum(status == "SUCCEEDED" for status, _ in told.values())
            if told and done == len(told):
                output.note(f"{site.name}: {done} of {len(told)} devices run it")
                return
            if time.monotonic() > deadline:
                output.note(
                    f"{site.name}: {done} of {len(told)} devices have answered in {wait_s:g} s; "
                    "the others follow when they are online"
                )
                return
            time.sleep(LOOK_EVERY_S)


def read_components(access: Access, site: Site) -> dict[str, tuple[str, str]]:
    """Each device's state of the site's deployment, with its reason; empty: none has any."""
    with explained(access, f"deployment of {site.name}"):
        return dict(_told(access, access.client("greengrassv2"), site, target_of(site)))


def refuse_components(site: Site, remedy: str) -> None:
    """Verbs that read groups and jobs back do not know component versions. Raises UserError."""
    if site.target == "v2":
        raise UserError(f"{site.name}: target v2 is not read back here; {remedy}", INVALID)


def target_of(site: Site) -> str:
    """ARN of the thing or the thing group."""
    names = V2Names(site.name, site.account, site.region)
    if site.core.group:
        return names.arn(f"thinggroup/{site.core.group}")
    return names.arn(f"thing/{site.core.thing}")


def _told(
    access: Access, greengrass: Any, site: Site, target: str
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Of each device: the state of this target's deployment, and the reason."""
    for thing in _things(access, site):
        found: list[Mapping[str, Any]] = greengrass.list_effective_deployments(
            coreDeviceThingName=thing
        )["effectiveDeployments"]
        for each in found:
            if each["targetArn"] == target:
                status = str(each["coreDeviceExecutionStatus"])
                yield thing, (status, str(each.get("reason") or ""))


def _things(access: Access, site: Site) -> list[str]:
    if not site.core.group:
        return [site.core.thing]
    pages = access.client("iot").get_paginator("list_things_in_thing_group")
    return [
        thing for page in pages.paginate(thingGroupName=site.core.group) for thing in page["things"]
    ]
