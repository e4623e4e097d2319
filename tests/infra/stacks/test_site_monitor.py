"""Alarms and a dashboard per site, from the reports of its splitter and aggregator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from every import every
from group_documents import gpu_site, with_cloud
from template_queries import of_type, the

from infra.planning import Site
from infra.planning.monitoring import METRICS, alarm_count


@pytest.fixture(scope="module")
def cloudy(synthesize) -> dict[str, Any]:
    return synthesize(with_cloud(gpu_site()))


def by_name(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = of_type(template, "AWS::CloudWatch::Alarm").values()
    return {alarm["AlarmName"].removeprefix("fanfold-line-"): alarm for alarm in found}


def test_every_field_of_a_report_that_is_watched_is_a_metric_of_its_site(cloudy):
    made = {
        each["MetricTransformations"][0]["MetricName"]: each
        for each in of_type(cloudy, "AWS::Logs::MetricFilter").values()
    }

    assert set(made) == set(METRICS.values())
    backlog = made["BacklogImages"]
    assert backlog["FilterPattern"] == "{ $.backlog >= 0 }"
    assert backlog["MetricTransformations"][0]["Dimensions"] == [{"Key": "Site", "Value": "$.site"}]


def test_each_alarm_that_the_site_asks_for_is_there_with_its_threshold(cloudy):
    found = {name: (a["Threshold"], a["TreatMissingData"]) for name, a in by_name(cloudy).items()}

    assert found == {
        "no-results": (1, "breaching"),
        "failed-records": (10, "notBreaching"),
        "backlog": (16_000, "notBreaching"),
        "worker-restarts": (3, "notBreaching"),
        "lost-before-cloud": (1, "notBreaching"),
    }


def test_no_results_means_none_in_the_whole_time(cloudy):
    alarm = by_name(cloudy)["no-results"]

    assert alarm["Period"] * alarm["EvaluationPeriods"] == 60 * 60
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]


def test_an_alarm_that_is_switched_off_is_not_there():
    from infra.stacks.monitor import alarms

    settings = dict.fromkeys(
        ("NoResultsMinutes", "FailedRecords", "BacklogImages", "WorkerRestarts")
    )

    assert [alarm.name for alarm in alarms(settings)] == ["lost-before-cloud"]


def test_the_estimate_counts_the_alarms_that_the_stack_makes(cloudy):
    monitor = Site.model_fields["cloud"].default.monitor

    assert len(by_name(cloudy)) == alarm_count(monitor)


def test_alarms_are_told_where_the_site_says(synthesize):
    topic = "arn:aws:sns:us-east-1:123456789012:plant"
    document = with_cloud(gpu_site())
    document["Cloud"]["Monitor"]["SnsTopic"] = topic

    told = by_name(synthesize(document)).values()

    assert {tuple(alarm["AlarmActions"]) for alarm in told} == {(topic,)}


def test_the_dashboard_shows_every_alarm_and_only_metrics_that_exist(cloudy):
    from infra.stacks.dashboard import GRAPHS

    body = json.dumps(the(cloudy, "AWS::CloudWatch::Dashboard")["DashboardBody"])
    shown = {metric for lines in GRAPHS.values() for metric, _, _ in lines}

    assert every(name in body for name in of_type(cloudy, "AWS::CloudWatch::Alarm"))
    assert shown == set(METRICS.values())


def test_a_site_without_a_monitor_pays_for_none(synthesize):
    document = with_cloud(gpu_site("dark"))
    del document["Cloud"]["Monitor"]

    template = synthesize(document)

    assert not of_type(template, "AWS::CloudWatch::Alarm")
    assert not of_type(template, "AWS::Logs::MetricFilter")
