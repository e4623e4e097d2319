"""How a job for one thing, or for a thing group, is made and judged.

Pure but for `members` and `pages`.

A job for a group is CONTINUOUS: a box that is provisioned after the deployment gets it when it
joins the group. AWS never calls such a job completed, so its devices are what is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

OPEN = ("IN_PROGRESS", "SCHEDULED")
PENDING = ("QUEUED", "IN_PROGRESS")
BAD = ("FAILED", "REJECTED", "TIMED_OUT")
_GROUP = ":thinggroup/"


def group_of(target: str) -> str | None:
    """Name of the thing group that a target's ARN names; None: it is one thing."""
    return target.partition(_GROUP)[2] or None


def selection(target: str) -> str:
    """`targetSelection` of CreateJob."""
    return "CONTINUOUS" if group_of(target) else "SNAPSHOT"


def pages(call: Any, key: str, **arguments: Any) -> Iterator[Any]:
    """Everything under `key` that a list call of boto3's IoT client gives, page after page."""
    token: dict[str, str] = {}
    while True:
        page = call(**arguments, **token)
        yield from page.get(key, [])
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def members(iot: Any, group: str) -> list[str]:
    """Things of a group, by boto3's IoT client."""
    return list(pages(iot.list_things_in_thing_group, "things", thingGroupName=group))


def failed(job_status: str, devices: Mapping[str, str], abort: Mapping[str, Any] | None) -> bool:
    """Has the deployment failed? `devices`: thing → status; `abort`: CreateJob's `abortConfig`.

    Without an abort rule one failed device is enough. With one the rule decides, as it does for
    AWS, and that no device is left which could still succeed.
    """
    bad = sum(status in BAD for status in devices.values())
    if not bad:
        return False
    if not abort or job_status == "CANCELED" or bad == len(devices):
        return True
    ended = sum(status not in PENDING for status in devices.values())
    return any(
        ended >= int(rule["minNumberOfExecutedThings"])
        and 100 * bad >= float(rule["thresholdPercentage"]) * ended
        for rule in abort["criteriaList"]
    )
