"""What of a site's alerts will not do what its author thinks."""

from __future__ import annotations

from collections.abc import Iterator

from infra.planning.checks.rule import Broken, rule
from infra.planning.model import Plan

_GUIDE = "docs/guides/alerting.md"


@rule("FF210", "warning", _GUIDE)
def somebody_is_called(plan: Plan) -> Iterator[Broken]:
    """A site with alert rules says how people are told."""
    alerts = plan.site.alerts
    if alerts.rules and not any((alerts.to.webhook, alerts.to.mail, alerts.to.mqtt)):
        yield (
            f"site {plan.site.name}",
            f"has {len(alerts.rules)} alert rules and no way to tell anybody.",
            "Give alerts.to a webhook, a mail or an mqtt; else they are on the page only.",
        )


@rule("FF211", "warning", _GUIDE)
def rules_can_come_true(plan: Plan) -> Iterator[Broken]:
    """A rule about the cloud needs a way to the cloud, and one about the backlog a backlog."""
    site = plan.site
    for each in site.alerts.rules:
        subject = f"alert {each.name}"
        if each.when == "cloud_link" and site.target == "v1":
            yield (
                subject,
                "with target v1 a core has an own link to AWS IoT only if it is joined.",
                "Start it with --join, use target: iot, or remove the rule.",
            )
        if each.when == "backlog" and (each.above or 0) >= site.backlog.max_images:
            yield (
                subject,
                f"above {each.above:g} images is never passed: backlog.max_images is "
                f"{site.backlog.max_images}.",
                "Use a smaller number.",
            )


@rule("FF213", "warning", "docs/guides/samples.md")
def samples_can_be_taken(plan: Plan) -> Iterator[Broken]:
    """A sample rule about disagreement needs a canary: nothing else compares two models."""
    samples = plan.site.history.samples
    for each in samples.rules if samples and plan.site.canary is None else ():
        if each.disagreement:
            yield (
                f"sample rule {each.name}",
                "keeps nothing: the site has no canary.",
                "Add canary: {}, or remove the rule.",
            )


@rule("FF212", "info", _GUIDE)
def judged_by_the_embedded_core(plan: Plan) -> Iterator[Broken]:
    """Alert rules and the history are the embedded core's: AWS's own V1 core ignores them."""
    if plan.site.target == "v1" and plan.site.alerts.rules:
        yield (
            f"site {plan.site.name}",
            "its alert rules are judged by the embedded core; AWS's own core would ignore them.",
            "Nothing to do where the embedded core runs; else use cloud.monitor's alarms.",
        )
