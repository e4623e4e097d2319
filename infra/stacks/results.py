"""Where results land: the bucket, and the rules that put batches and summaries into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.stacks.acknowledgements import NO_ACCESS_LOGS, acknowledge
from infra.stacks.rules import LOG_ACTIONS, rule_name, rule_role, topic_rule

OLDER_VERSIONS_DAYS = 30
UNFINISHED_UPLOAD_DAYS = 7
#: Both parts come from the message, so that a batch sent again is the same object.
KEY = "${partition}/${batch}.json"


class Results(Construct):
    """As docs/spec/cloud-results.md has it; `settings` is the document's `Cloud.Results`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, site: str, settings: Mapping[str, Any]
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket_name = str(settings["Bucket"])
        self.prefix = settings.get("Batches", {}).get("Prefix")
        self.bucket = self._bucket(settings) if settings["Create"] else None
        self.rules: list[CfnResource] = []
        wanted = {what: settings[what] for what in ("Batches", "Jobs") if what in settings}
        if not wanted:
            return
        self._errors = logs.LogGroup(
            self,
            "Errors",
            log_group_name=f"/fanfold/{site}/rule-errors",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        for what, where in wanted.items():
            name = rule_name(site, "results" if what == "Batches" else "jobs")
            self.rules.append(self._rule(what, name, where))

    def _bucket(self, settings: Mapping[str, Any]) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=self.bucket_name,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="keep",
                    expiration=Duration.days(settings["KeepDays"]),
                    noncurrent_version_expiration=Duration.days(OLDER_VERSIONS_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(UNFINISHED_UPLOAD_DAYS),
                )
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
        acknowledge(bucket, NO_ACCESS_LOGS)
        return bucket

    def _rule(self, what: str, name: str, where: Mapping[str, str]) -> CfnResource:
        prefix = where["Prefix"]
        objects = f"arn:{Stack.of(self).partition}:s3:::{self.bucket_name}/{prefix}*"
        role = rule_role(
            self,
            f"{what}Role",
            name=name,
            statements=[
                iam.PolicyStatement(actions=["s3:PutObject"], resources=[objects]),
                iam.PolicyStatement(
                    actions=list(LOG_ACTIONS), resources=[self._errors.log_group_arn]
                ),
            ],
        )
        rule = topic_rule(
            self,
            what,
            name=name,
            topic=where["Topic"],
            role=role,
            action={"S3": {"BucketName": self.bucket_name, "Key": prefix + KEY}},
            error_action={"CloudwatchLogs": {"LogGroupName": self._errors.log_group_name}},
        )
        if self.bucket:
            rule.node.add_dependency(self.bucket)
        return rule
