"""CloudWatch for CloudFormation: alarms, and metric filters that do filter.

moto 5.2 has neither type, gives a log group's ARN without its `:*`, and stores metric filters
without applying them. Here a log event that fits makes a metric. The pattern is of one kind,
`{ $.field >= 0 }`: a number is there.
Alarms are kept and never change state: nothing here waits for minutes to pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from devcloud.plugin.plain import as_moto_wrote
from devcloud.plugin.resource import Place, Resource, register

_PATTERN = re.compile(r"\{ \$\.(\w+) >= 0 \}\Z")


def install() -> None:
    from moto.logs.models import LogGroup, LogsBackend

    register(MetricFilter, Alarm)
    plain = as_moto_wrote(LogsBackend, "put_log_events")

    def put_log_events(
        self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
    ) -> Any:
        answer = plain(self, log_group_name, log_stream_name, log_events)
        for each in self.filters.get_matching_filters(log_group_name=log_group_name):
            for event in log_events:
                _apply(self, each, event)
        return answer

    LogsBackend.put_log_events = put_log_events
    LogGroup.get_cfn_attribute = _log_group_attribute


def _log_group_attribute(self: Any, name: str) -> str:
    """A log group's ARN ends in `:*`, which is what makes its streams part of it."""
    if name != "Arn":
        raise KeyError(f"AWS::Logs::LogGroup has no attribute {name!r}")
    return str(self.arn).removesuffix(":*") + ":*"


class MetricFilter(Resource):
    type_name = "AWS::Logs::MetricFilter"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        pattern = properties["FilterPattern"]
        if not _PATTERN.match(pattern):
            raise ValueError(
                f"the development cloud knows the pattern {{ $.field >= 0 }}, not {pattern!r}"
            )
        # Only the first level: CloudWatch's dimensions keep their `Key` and `Value`.
        transformations = [
            {name[0].lower() + name[1:]: value for name, value in each.items()}
            for each in properties["MetricTransformations"]
        ]
        group, name = properties["LogGroupName"], properties["FilterName"]
        _logs(place).put_metric_filter(name, pattern, group, transformations)
        return cls(place, name, {"group": group})

    def update(self, properties: dict[str, Any]) -> Resource:
        self.remove()
        return type(self).create(self.place, properties)

    def remove(self) -> None:
        _logs(self.place).delete_metric_filter(self.physical_resource_id, self.attributes["group"])


class Alarm(Resource):
    type_name = "AWS::CloudWatch::Alarm"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        made = _cloudwatch(place).put_metric_alarm(
            name=properties["AlarmName"],
            namespace=properties["Namespace"],
            metric_name=properties["MetricName"],
            comparison_operator=properties["ComparisonOperator"],
            evaluation_periods=int(properties["EvaluationPeriods"]),
            datapoints_to_alarm=int(properties["DatapointsToAlarm"]),
            period=int(properties["Period"]),
            threshold=float(properties["Threshold"]),
            statistic=properties["Statistic"],
            description=properties.get("AlarmDescription", ""),
            dimensions=properties["Dimensions"],
            alarm_actions=properties.get("AlarmActions", []),
            ok_actions=properties.get("OKActions", []),
            treat_missing_data=properties.get("TreatMissingData"),
        )
        return cls(place, made.name, {"Arn": made.alarm_arn})

    def update(self, properties: dict[str, Any]) -> Resource:
        if properties["AlarmName"] != self.physical_resource_id:
            self.remove()
        return type(self).create(self.place, properties)

    def remove(self) -> None:
        _cloudwatch(self.place).delete_alarms([self.physical_resource_id])


def _apply(logs: Any, metric_filter: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    field = _PATTERN.match(metric_filter["filterPattern"])
    try:
        message = json.loads(event["message"])
    except ValueError:  # a filter for JSON fields matches no other line
        return
    value = message.get(field[1]) if field and isinstance(message, dict) else None
    if not isinstance(value, int | float) or value < 0:
        return
    for each in metric_filter["metricTransformations"]:
        dimensions = [
            {"Name": d["Key"], "Value": str(message.get(d["Value"].removeprefix("$.")))}
            for d in each.get("dimensions", [])
        ]
        datum = {
            "MetricName": each["metricName"],
            "Value": value,
            "Unit": each.get("unit", "None"),
            "Dimensions": dimensions,
            "Timestamp": _utc(event["timestamp"]),
        }
        place = Place(account=logs.account_id, region=logs.region_name)
        _cloudwatch(place).put_metric_data(each["metricNamespace"], [datum])


def _utc(timestamp_ms: int) -> datetime:
    """Without its zone, as moto compares them."""
    return datetime.fromtimestamp(timestamp_ms / 1000, timezone.utc).replace(tzinfo=None)


def _logs(place: Place) -> Any:
    from moto.logs.models import logs_backends

    return logs_backends[place.account][place.region]


def _cloudwatch(place: Place) -> Any:
    from moto.cloudwatch.models import cloudwatch_backends

    return cloudwatch_backends[place.account][place.region]
