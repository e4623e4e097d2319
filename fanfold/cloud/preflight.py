"""What must be right before a deployment begins, so that nothing ends half-done.

Each finding says what is wrong and the remedy; nothing here changes anything.
"""

from __future__ import annotations

from typing import Any

from fanfold.cloud.access import Access, explained
from fanfold.cloud.certificates import refuse_foreign
from fanfold.cloud.stack import read_stack, refuse_unbootstrapped, refuse_unfit
from fanfold.common.errors import INVALID, MISSING, REFUSED, UserError
from infra.planning import Plan
from infra.planning.stack_names import deployment_stack_name


def look(access: Access, plan: Plan, made_beside: str | None = None) -> None:
    """Raises UserError for the first thing that a deployment would fail at.

    `made_beside`: the bucket that a stack makes which this one depends on.
    """
    site = plan.site
    refuse_unbootstrapped(access, site.account)
    for name in (site.name, deployment_stack_name(site.name)):
        refuse_unfit(name, read_stack(access, name))
    if site.model.s3_uri:
        refuse_unreadable(access, site.model.s3_uri)
    for what, bucket in _buckets(plan):
        if bucket == made_beside:
            continue
        refuse_missing_bucket(access, what, bucket)
    if site.core.group is not None:
        return
    things = {thing.name: thing.certificate_arn for thing in (plan.core, *plan.devices)}
    refuse_foreign(access, things, site.name)


def refuse_other_account(access: Access, account: str, site: str) -> None:
    """Credentials are there, valid, and of the site's account."""
    with explained(access, f"site {site}"):
        found = access.client("sts").get_caller_identity()
    if found["Account"] != account:
        raise UserError(
            f"site {site} is for AWS account {account}, these credentials are of "
            f"{found['Account']} ({found['Arn']}). Use other credentials (AWS_PROFILE), or change "
            "`account` in the site's file.",
            INVALID,
        )


def refuse_unreadable(access: Access, uri: str) -> None:
    """The model's object is there, readable, and in the site's region."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    subject = f"model {uri}"
    code = _head(access, subject, "head_object", Bucket=bucket, Key=key)
    if code is None:
        _refuse_other_region(access, subject, bucket)
        return
    if code == "404" and _head(access, subject, "head_bucket", Bucket=bucket) is None:
        raise UserError(
            f"{subject}: bucket {bucket} exists, but has no such object. Publish it: fanfold "
            f"model publish PACKAGE --bucket {bucket}; then use the URI that it prints.",
            MISSING,
        )
    raise UserError(
        f"{subject}: {_bucket_words(access, bucket, code, 's3:GetObject')}", _exit(code)
    )


def refuse_missing_bucket(access: Access, what: str, bucket: str) -> None:
    """A bucket that the site names is there, in reach and in the right region."""
    code = _head(access, f"{what} {bucket}", "head_bucket", Bucket=bucket)
    if code is not None:
        words = _bucket_words(access, bucket, code, "s3:ListBucket")
        raise UserError(f"{what} {bucket}: {words}", _exit(code))


def _refuse_other_region(access: Access, subject: str, bucket: str) -> None:
    """boto3 follows S3 to a bucket's region without a word; what deploys the group need not.

    A development cloud has one region for what is published to it.
    """
    if access.cloud:
        return
    there = _region_of(access, subject, bucket)
    if there not in (None, access.region):
        raise UserError(f"{subject}: {_region_words(access, bucket, there)}", INVALID)


def _region_of(access: Access, subject: str, bucket: str) -> str | None:
    """As S3 says it, also to whom it refuses the bucket; None where it does not say."""
    from botocore.exceptions import ClientError

    with explained(access, subject):
        try:
            answer: Any = access.client("s3").head_bucket(Bucket=bucket)
        except ClientError as error:
            answer = error.response
    headers: dict[str, str] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers.get("x-amz-bucket-region")


def _head(access: Access, subject: str, call: str, **arguments: str) -> str | None:
    """The status of a HEAD as S3 gives it, None where all is well."""
    from botocore.exceptions import ClientError

    with explained(access, subject):
        try:
            getattr(access.client("s3"), call)(**arguments)
        except ClientError as error:
            code = str(error.response["Error"].get("Code", ""))
            status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", code))
            if status in ("301", "307", "400", "403", "404"):
                return status
            raise
    return None


def _bucket_words(access: Access, bucket: str, code: str, right: str) -> str:
    if code == "404":
        return (
            f"there is no bucket {bucket} in {access.where}. Check the name and the account, or "
            f"create it: aws s3 mb s3://{bucket} --region {access.region}"
        )
    if code in ("301", "307", "400"):
        return _region_words(access, bucket, _region_of(access, f"bucket {bucket}", bucket))
    return (
        f"bucket {bucket} is not readable with these credentials. Ask for {right} on it, or check "
        "the name: a bucket of this name may belong to another account."
    )


def _region_words(access: Access, bucket: str, there: str | None) -> str:
    return (
        f"bucket {bucket} is in {there or 'another region'}, the site in {access.region}. Use a "
        f"bucket of {access.region}, or change `region` in the site's file."
    )


def _exit(code: str) -> int:
    return {"404": MISSING, "403": REFUSED}.get(code, INVALID)


def _buckets(plan: Plan) -> list[tuple[str, str]]:
    """Buckets that the site names and nobody makes for it."""
    cloud: Any = plan.site.cloud
    parts = (("results bucket", "store"), ("outbox bucket", "outbox"))
    found = [(what, getattr(getattr(cloud, part, None), "bucket", None)) for what, part in parts]
    return [(what, bucket) for what, bucket in found if bucket]
