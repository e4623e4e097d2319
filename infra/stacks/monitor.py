"""Metrics, alarms and a dashboard of one site in CloudWatch.

Splitter and aggregator report on one cloud topic (docs/spec/messages.md, Health). A rule
writes the reports to a log group; metric filters make metrics of them. (A rule's own metric
action would be one paid PutMetricData per metric and minute; filters are free.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.planning.monitoring import METRICS
from infra.planning.naming import rule_name
from infra.stacks.dashboard import NAMESPACE, dashboard_body
from infra.stacks.rules import LOG_ACTIONS, rule_role, topic_rule

FIVE_MINUTES_S = 300


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm; `silence_alarms`: no report at all is as bad as a bad one."""

    name: str
    metric: str
    statistic: str
    comparison: str
    threshold: int
    period_s: int = FIVE_MINUTES_S
    periods: int = 1
    silence_alarms: bool = False
    why: str


def alarms(settings: Mapping[str, Any]) -> Iterator[Alarm]:
    """Those that the site asks for, and that results were lost on their way, always."""
    if minutes := settings["NoResultsMinutes"]:
        yield Alarm(
            name="no-results",
            metric="Results",
            statistic="Sum",
            comparison="LessThanThreshold",
            threshold=1,
            periods=minutes * 60 // FIVE_MINUTES_S,
            silence_alarms=True,
            why=f"No result for {minutes} minutes: no images, no link, or the core is down.",
        )
    if failed := settings["FailedRecords"]:
        yield Alarm(
            name="failed-records",
            metric="FailedRecords",
            statistic="Sum",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=failed,
            why=f"{failed} or more images failed within 5 minutes; the results give the reasons.",
        )
    if backlog := settings["BacklogImages"]:
        yield Alarm(
            name="backlog",
            metric="BacklogImages",
            statistic="Maximum",
            comparison="GreaterThanThreshold",
            threshold=backlog,
            periods=2,
            why=f"More than {backlog} images wait: the workers are too slow or down.",
        )
    if restarts := settings["WorkerRestarts"]:
        yield Alarm(
            name="worker-restarts",
            metric="WorkerRestarts",
            statistic="Sum",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=restarts,
            period_s=3 * FIVE_MINUTES_S,
            why=f"{restarts} or more restarts of workers within 15 minutes; see the core's logs.",
        )
    yield Alarm(
        name="lost-before-cloud",
        metric="LostBeforeCloud",
        statistic="Sum",
        comparison="GreaterThanOrEqualToThreshold",
        threshold=1,
        why="Results were dropped on the device: its quota was full before the cloud "
        "acknowledged them.",
    )


class Monitor(Construct):
    """`settings`: the document's `Cloud.Monitor`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, site: str, settings: Mapping[str, Any]
    ) -> None:
        super().__init__(scope, construct_id)
        self._site, self._settings = site, settings
        self._reports = logs.LogGroup(
            self,
            "Reports",
            log_group_name=f"/fanfold/{site}/health",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.rule = self._rule()
        for field, metric in METRICS.items():
            self._filter(field, metric)
        arns = [self._alarm(alarm).get_att("Arn").to_string() for alarm in alarms(settings)]
        body = dashboard_body(site, Stack.of(self).region, settings, arns)
        CfnResource(
            self,
            "Dashboard",
            type="AWS::CloudWatch::Dashboard",
            properties={
                "DashboardName": f"fanfold-{site}",
                "DashboardBody": Stack.of(self).to_json_string(body),
            },
        )

    def _rule(self) -> CfnResource:
        name = rule_name(self._site, "health")
        role = rule_role(
            self,
            "Role",
            name=name,
            statements=[
                iam.PolicyStatement(
                    actions=list(LOG_ACTIONS), resources=[self._reports.log_group_arn]
                )
            ],
        )
        return topic_rule(
            self,
            "Rule",
            name=name,
            topic=self._settings["Topic"],
            role=role,
            action={"CloudwatchLogs": {"LogGroupName": self._reports.log_group_name}},
        )

    def _filter(self, field: str, metric: str) -> None:
        CfnResource(
            self,
            f"{metric}Filter",
            type="AWS::Logs::MetricFilter",
            properties={
                "FilterName": metric,
                "LogGroupName": self._reports.log_group_name,
                "FilterPattern": f"{{ $.{field} >= 0 }}",
                "MetricTransformations": [
                    {
                        "MetricNamespace": NAMESPACE,
                        "MetricName": metric,
                        "MetricValue": f"$.{field}",
                        "Unit": "Count",
                        "Dimensions": [{"Key": "Site", "Value": "$.site"}],
                    }
                ],
            },
        )

    def _alarm(self, alarm: Alarm) -> CfnResource:
        topic = self._settings["SnsTopic"]
        return CfnResource(
            self,
            f"Alarm{alarm.metric}",
            type="AWS::CloudWatch::Alarm",
            properties={
                "AlarmName": f"fanfold-{self._site}-{alarm.name}",
                "AlarmDescription": alarm.why,
                "Namespace": NAMESPACE,
                "MetricName": alarm.metric,
                "Dimensions": [{"Name": "Site", "Value": self._site}],
                "Statistic": alarm.statistic,
                "Period": alarm.period_s,
                "EvaluationPeriods": alarm.periods,
                "DatapointsToAlarm": alarm.periods,
                "ComparisonOperator": alarm.comparison,
                "Threshold": alarm.threshold,
                "TreatMissingData": "breaching" if alarm.silence_alarms else "notBreaching",
                **({"AlarmActions": [topic], "OKActions": [topic]} if topic else {}),
            },
        )
