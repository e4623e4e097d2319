"""What the group needs from AWS: the model, certificates, the spooler."""

from __future__ import annotations

from collections.abc import Iterator

from contract import limits
from infra.planning.checks.rule import Broken, rule
from infra.planning.model import ModelResource, Plan

_ML = "https://docs.aws.amazon.com/greengrass/v1/developerguide/ml-inference.html"


@rule("FF140", "error", _ML)
def model_is_named(plan: Plan) -> Iterator[Broken]:
    """The site names a model package, in a bucket whose name has no dot."""
    models = [r for r in plan.resources if isinstance(r, ModelResource)]
    subject = f"site {plan.site.name}"
    if not models:
        yield (
            subject,
            "names no model package.",
            "Set model.s3_uri, or deploy with -c model=s3://…",
        )
    for model in models:
        bucket = model.s3_uri.removeprefix("s3://").split("/")[0]
        if "." in bucket:
            yield subject, f"bucket {bucket} has a dot.", "Use a bucket without dots."


@rule("FF141", "info", _ML)
def service_role_reads_model(plan: Plan) -> Iterator[Broken]:
    """The managed policy of the Greengrass service role reads buckets with `greengrass` in their
    name; any other needs a policy of its own."""
    for model in plan.resources if plan.site.target == "v1" else ():
        if isinstance(model, ModelResource):
            bucket = model.s3_uri.removeprefix("s3://").split("/")[0]
            if "greengrass" not in bucket:
                yield (
                    f"site {plan.site.name}",
                    f"bucket {bucket} is not covered by the service role's managed policy.",
                    f"Allow the role s3:GetObject on {bucket}, or put greengrass in its name.",
                )


@rule("FF142", "warning", "https://docs.aws.amazon.com/greengrass/v1/developerguide/gg-sec.html")
def provisioned(plan: Plan) -> Iterator[Broken]:
    """Every thing has a certificate."""
    missing = [thing.name for thing in (plan.core, *plan.devices) if not thing.provisioned]
    if missing and plan.site.core.group is None:
        yield (
            f"site {plan.site.name}",
            f"no certificate for {', '.join(missing)}.",
            f"Run `fanfold provision {plan.site.name}`; the local broker refuses these "
            "devices until then.",
        )


@rule("FF143", "error", limits.SPOOLER_MIN_BYTES.source)
def spooler_starts(plan: Plan) -> Iterator[Broken]:
    """The spooler has at least 262,144 bytes: below it the core does not start."""
    size, limit = plan.site.spooler.max_size_bytes, limits.SPOOLER_MIN_BYTES
    if size < limit.value:
        yield (
            f"site {plan.site.name}",
            f"spooler.max_size_bytes is {size}, at least {limit.value} needed.",
            "Raise it.",
        )


@rule("FF144", "error", "https://docs.aws.amazon.com/greengrass/v1/developerguide/gg-core.html")
def system_functions_as_documented(plan: Plan) -> Iterator[Broken]:
    """The spooler keeps messages on disk (in memory it forgets at every deployment) and is there
    beside the IP detector, both with their documented shape."""
    by_name = {each.arn.split(":")[-2]: each for each in plan.system_functions}
    for name in ("GGIPDetector", "GGCloudSpooler"):
        if name not in by_name:
            yield f"system function {name}", "is missing.", "Add it."
    spooler = by_name.get("GGCloudSpooler")
    if spooler is None:
        return
    if spooler.environment.get("GG_CONFIG_STORAGE_TYPE") != "FileSystem":
        yield "system function GGCloudSpooler", "does not spool to disk.", "Use FileSystem."
    if spooler.executable != "spooler":
        yield "system function GGCloudSpooler", "has no executable.", "Name it `spooler`."
