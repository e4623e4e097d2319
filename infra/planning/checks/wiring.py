"""Subscriptions: between parts that exist, on topics that Greengrass takes, none missing."""

from __future__ import annotations

from collections.abc import Iterator

from contract import limits
from contract.topic_filters import subject_problems
from infra.planning.checks.rule import Broken, rule
from infra.planning.model import CLOUD, Plan
from infra.planning.naming import topics_of

_ROUTES = "docs/spec/messages.md"
_API = (
    "https://docs.aws.amazon.com/greengrass/v1/apireference/"
    "definitions-subscriptiondefinitionversion.html"
)


@rule("FF104", "error", _API)
def ends_exist(plan: Plan) -> Iterator[Broken]:
    """A subscription's source and target are a function or device of the group, or the cloud."""
    known = {f.arn for f in plan.functions} | {d.arn for d in plan.devices} | {CLOUD}
    for each in plan.subscriptions:
        for end, arn in (("source", each.source), ("target", each.target)):
            if arn not in known:
                yield (
                    f"subscription {each.id}",
                    f"{end} {arn} is not in the group.",
                    "Name a function's qualified ARN, a device's thing ARN or cloud.",
                )


@rule("FF105", "error", _ROUTES)
def nothing_unreachable(plan: Plan) -> Iterator[Broken]:
    """Every function that the splitter feeds gets its work topic; every one that computes may
    report to the aggregator and the splitter; the aggregator may acknowledge and publish to the
    cloud."""
    routes = {(each.source, each.subject, each.target) for each in plan.subscriptions}
    for source, subject, target in _needed(plan):
        if (source, subject, target) not in routes:
            yield (
                f"topic {subject}",
                f"has no subscription from {source} to {target}: messages are discarded.",
                "Add the subscription.",
            )


def _needed(plan: Plan) -> Iterator[tuple[str, str, str]]:
    names = topics_of(plan.site)
    splitter, aggregator = plan.by_role("splitter")[0].arn, plan.by_role("aggregator")[0].arn
    for each in plan.fed:
        yield splitter, names.work_prefix + each.id, each.arn
    for each in plan.by_role("transform", "inference", "pool"):
        yield each.arn, names.done, aggregator
        yield each.arn, names.heartbeat, splitter
    for source in plan.by_role("transform"):
        for target in plan.workers:
            yield source.arn, names.tensor_prefix + target.id, target.arn
    for grabber in plan.by_role("grabber"):
        for camera in plan.site.sourced:
            yield grabber.arn, names.images(camera.name), splitter
            yield splitter, names.accepted(camera.name), grabber.arn
            yield splitter, names.rejected(camera.name), grabber.arn
    yield splitter, names.done, aggregator
    yield aggregator, names.ack, splitter
    if plan.site.cloud.mqtt:
        yield aggregator, names.cloud_results, CLOUD


@rule("FF106", "error", limits.TOPIC_BYTES.source)
def topics_are_valid(plan: Plan) -> Iterator[Broken]:
    """A topic is at most 256 bytes with at most 7 slashes, and its wildcards fill a level."""
    for each in plan.subscriptions:
        for problem in subject_problems(each.subject):
            yield f"topic {each.subject}", f"{problem}.", "Shorten the site's or camera's name."


@rule("FF107", "error", limits.CLOUD_SUBSCRIPTIONS.source)
def cloud_sources(plan: Plan) -> Iterator[Broken]:
    """At most 50 subscriptions have the cloud as their source."""
    count = sum(each.source == CLOUD for each in plan.subscriptions)
    if count > limits.CLOUD_SUBSCRIPTIONS.value:
        yield (
            f"site {plan.site.name}",
            f"{count} subscriptions from the cloud, {limits.CLOUD_SUBSCRIPTIONS.value} allowed.",
            "Join them with a wildcard.",
        )
