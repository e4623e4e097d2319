"""A site's bucket in S3: private, versioned, and kept when its stack goes."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.stacks.acknowledgements import NO_ACCESS_LOGS, acknowledge

OLDER_VERSIONS_DAYS = 30
UNFINISHED_UPLOAD_DAYS = 7


def kept_bucket(
    scope: Construct, construct_id: str, name: str, *, keep_days: int | None = None
) -> s3.Bucket:
    """`keep_days`: how long objects live; None: for ever."""
    bucket = s3.Bucket(
        scope,
        construct_id,
        bucket_name=name,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        versioned=True,
        lifecycle_rules=[
            s3.LifecycleRule(
                id="keep",
                expiration=None if keep_days is None else Duration.days(keep_days),
                noncurrent_version_expiration=Duration.days(OLDER_VERSIONS_DAYS),
                abort_incomplete_multipart_upload_after=Duration.days(UNFINISHED_UPLOAD_DAYS),
            )
        ],
        removal_policy=RemovalPolicy.RETAIN,
    )
    acknowledge(bucket, NO_ACCESS_LOGS)
    return bucket
