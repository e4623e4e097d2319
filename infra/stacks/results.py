"""Where results land: the bucket, and the rules that put batches and summaries into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.planning.naming import rule_name
from infra.stacks.buckets import kept_bucket
from infra.stacks.rules import LOG_ACTIONS, rule_role, topic_rule

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
        self.bucket: s3.Bucket | None = None
        if settings["Create"]:
            keep_days = settings["KeepDays"]
            self.bucket = kept_bucket(self, "Bucket", self.bucket_name, keep_days=keep_days)
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
