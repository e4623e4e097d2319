"""The way to the cloud: nothing here keeps an image from being inspected. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contract.status import Reason, Status
from edgecore.core.stats import mapping, number
from edgecore.core.verdict.reason import degraded, spell

CONNECTS_WITHIN_S = 30.0
SPOOL_SHARE = 0.8
_SAID_BY_ANOTHER = ("taken_over", "clock")


def cloud_reasons(status: Status) -> Iterator[Reason]:
    cloud = mapping(status.get("cloud"))
    yield from _reachable(status, cloud)
    yield from _spool(status, cloud)
    yield from _rights(cloud)


def _reachable(status: Status, cloud: Mapping[str, Any]) -> Iterator[Reason]:
    link = mapping(cloud.get("link"))
    waiting = number(cloud.get("spooled")) or 0.0
    remedy = f"nothing is lost: {waiting:.0f} messages wait and are sent when it is back"
    uptime_s = number(status.get("core", {}).get("uptime_s")) or 0.0
    if link:
        late = uptime_s > CONNECTS_WITHIN_S and not link.get("connected")
        named = link.get("problem") in _SAID_BY_ANOTHER
        if (link.get("message") or late) and not named:
            problem = link.get("message") or f"not connected after {spell(uptime_s)}"
            yield degraded("cloud_unreachable", "cloud", str(problem), remedy)
        if count := link.get("taken_over"):
            times = "once" if count == 1 else f"{count} times"
            yield degraded(
                "certificate_shared",
                "cloud",
                f"another device took the connection over, {times} within ten minutes: it uses "
                "this core's certificate or name",
                "provision one of them as a thing of its own; nothing is lost meanwhile",
            )
    elif number(cloud.get("failures")) and cloud.get("last_error"):
        words = f"{cloud.get('sink')} is not reachable: {cloud['last_error']}"
        yield degraded("cloud_unreachable", "cloud", words, remedy)


def _spool(status: Status, cloud: Mapping[str, Any]) -> Iterator[Reason]:
    lost = number(mapping(status.get("recent")).get("cloud_lost"))
    if lost:
        yield degraded(
            "cloud_lost",
            "cloud",
            f"{lost:.0f} messages or results were dropped before they were sent",
            "the quota was reached or the cloud refused them: see the counts by reason",
        )
    held, quota = number(cloud.get("spooled_bytes")), number(cloud.get("quota_bytes"))
    if held and quota and held >= SPOOL_SHARE * quota:
        yield degraded(
            "spool_high",
            "cloud spool",
            f"holds {held / quota:.0%} of its quota of {quota:.0f} bytes",
            "restore the link to the cloud, or give the spool a larger quota",
        )


def _rights(cloud: Mapping[str, Any]) -> Iterator[Reason]:
    problem = mapping(cloud.get("credentials")).get("problem")
    if problem:
        yield degraded(
            "credentials_missing",
            "credentials",
            str(problem),
            "put that right: they are asked for again by themselves; until then S3 uploads wait",
        )
    filters = mapping(mapping(cloud.get("link")).get("refused_filters"))
    for one, why in list(filters.items())[:1]:
        more = f", nor on {len(filters) - 1} others" if len(filters) > 1 else ""
        yield degraded(
            "cloud_refuses",
            "cloud",
            f"sends no messages on {one} ({why}){more}",
            "allow iot:Subscribe and iot:Receive there in the certificate's policy",
        )
    topics = mapping(cloud.get("quarantined")).get("topics") or []
    if topics:
        count = sum(int(topic.get("count", 0)) for topic in topics)
        yield degraded(
            "cloud_refuses",
            "cloud",
            f"refused {count} messages on {topics[0].get('topic')}: {topics[0].get('reason')}",
            "allow the topic in the certificate's policy; they are kept on this machine",
        )
