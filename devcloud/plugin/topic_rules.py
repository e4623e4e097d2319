"""AWS IoT topic rules: `AWS::IoT::TopicRule`, and what is published taken to where rules say.

moto 5.2 stores rules and runs none. Here `Publish` runs every rule whose topic fits, with
the rights of the action's role, which moto does not enforce either: a role that is too
narrow fails here as it does on AWS. Only `SELECT * FROM 'topic filter'` is understood, and
the actions `s3` and `cloudwatchLogs`; anything else is refused when the rule is made.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devcloud.auth.roles import may
from devcloud.mqtt_topics import matches
from devcloud.plugin.plain import as_moto_wrote
from devcloud.plugin.resource import Place, Resource, as_api, register

log = logging.getLogger("devcloud")

_SQL = re.compile(r"SELECT \* FROM '([^']+)'\Z")
_EXPRESSION = re.compile(r"\$\{([^}]*)\}")
_LEVEL = re.compile(r"topic\((\d+)\)\Z")
_STREAM = "devcloud"
#: What `topic()` and a key name where there is nothing.
UNDEFINED = "undefined"
# moto's stores are not made for several writers, and its server has a thread per request.
_lock = threading.Lock()


def install() -> None:
    from moto.iotdata.models import IoTDataPlaneBackend

    register(TopicRule)
    plain = as_moto_wrote(IoTDataPlaneBackend, "publish")

    def publish(self: Any, topic: str, payload: bytes) -> None:
        plain(self, topic, payload)
        body = payload.encode() if isinstance(payload, str) else payload
        for rule in list(self.iot_backend.rules.values()):
            if not rule.rule_disabled and matches(rule.topic_pattern, topic):
                with _lock:
                    _run(self, rule, topic, body)

    IoTDataPlaneBackend.publish = publish


def run_named(data: Any, name: str, topic: str, payload: bytes) -> bool:
    """Basic Ingest: that rule alone, whatever its FROM says; False where there is none."""
    data.published_payloads.append((f"$aws/rules/{name}/{topic}", payload))
    rule = data.iot_backend.rules.get(name)
    if rule is None or rule.rule_disabled:
        return False
    with _lock:
        _run(data, rule, topic, payload)
    return True


@dataclass(frozen=True)
class Published:
    topic: str
    message: Mapping[str, Any]
    payload: bytes


class RuleRefused(Exception):  # noqa: N818 (as AWS says it)
    """A rule that this cloud cannot run, or may not."""


class TopicRule(Resource):
    type_name = "AWS::IoT::TopicRule"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        payload, name = properties["TopicRulePayload"], properties["RuleName"]
        actions, error = as_api(payload["Actions"]), as_api(payload.get("ErrorAction") or {})
        _check(payload["Sql"], [*actions, error])
        backend = _iot(place)
        backend.create_topic_rule(
            name,
            payload["Sql"],
            description=payload.get("Description", ""),
            rule_disabled=payload.get("RuleDisabled", False),
            actions=actions,
            error_action=error,
            aws_iot_sql_version=payload.get("AwsIotSqlVersion", ""),
        )
        return cls(place, name, {"Arn": backend.rules[name].arn})

    def update(self, properties: dict[str, Any]) -> Resource:
        self.remove()
        return type(self).create(self.place, properties)

    def remove(self) -> None:
        _iot(self.place).delete_topic_rule(self.physical_resource_id)


def fill(template: str, topic: str, message: Mapping[str, Any]) -> str:
    """A substitution template: `${topic(2)}` and `${field}`."""

    def value(found: re.Match[str]) -> str:
        if level := _LEVEL.match(found[1]):
            levels = topic.split("/")
            place = int(level[1]) - 1
            return levels[place] if 0 <= place < len(levels) else UNDEFINED
        inner = message.get(found[1], UNDEFINED)
        return inner if isinstance(inner, str) else json.dumps(inner)

    return _EXPRESSION.sub(value, template)


def _check(sql: str, actions: list[dict[str, Any]]) -> None:
    if not _SQL.match(sql):
        raise RuleRefused(f"the development cloud runs `SELECT * FROM 'topic'`, not {sql!r}")  # noqa: S608
    for action in actions:
        if unknown := set(action) - set(_ACTIONS):
            raise RuleRefused(
                f"the development cloud has no rule action {', '.join(sorted(unknown))}"
            )


def _run(data: Any, rule: Any, topic: str, payload: bytes) -> None:
    """All actions; one that fails is told to the rule's error action, as on AWS."""
    try:
        message = json.loads(payload)
    except ValueError:
        message = {}  # SELECT * of what is no JSON has no fields
    for action in rule.actions:
        ((kind, settings),) = action.items()
        try:
            _ACTIONS[kind](data, settings, Published(topic, message, payload))
        except Exception as error:
            log.warning("rule %s on %s: %s", rule.rule_name, topic, error)
            _report(data, rule, topic, payload, str(error))


def _report(data: Any, rule: Any, topic: str, payload: bytes, error: str) -> None:
    said = {
        "ruleName": rule.rule_name,
        "topic": topic,
        "failures": [{"errorMessage": error}],
        "base64OriginalPayload": base64.b64encode(payload).decode(),
    }
    for kind, settings in rule.error_action.items():
        try:
            _ACTIONS[kind](data, settings, Published(topic, said, json.dumps(said).encode()))
        except Exception:
            log.exception("error action of rule %s", rule.rule_name)


def _to_s3(data: Any, settings: Mapping[str, str], what: Published) -> None:
    from moto.s3.models import s3_backends

    bucket = settings["bucketName"]
    key = fill(settings["key"], what.topic, what.message)
    _permit(data, settings, "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}")
    s3_backends[data.account_id]["aws"].put_object(bucket, key, what.payload)


def _to_logs(data: Any, settings: Mapping[str, str], what: Published) -> None:
    from moto.logs.models import logs_backends

    group = settings["logGroupName"]
    where = (
        f"arn:aws:logs:{data.region_name}:{data.account_id}:log-group:{group}:log-stream:{_STREAM}"
    )
    _permit(data, settings, "logs:PutLogEvents", where)
    backend = logs_backends[data.account_id][data.region_name]
    backend.ensure_log_stream(group, _STREAM)
    event = {"timestamp": int(time.time() * 1000), "message": what.payload.decode(errors="replace")}
    backend.put_log_events(group, _STREAM, [event])


_ACTIONS = {"s3": _to_s3, "cloudwatchLogs": _to_logs}


def _permit(data: Any, settings: Mapping[str, str], action: str, resource: str) -> None:
    role = settings["roleArn"]
    if not may(data.account_id, role, action, resource):
        raise RuleRefused(f"AccessDenied: {role} may not {action} on {resource}")


def _iot(place: Place) -> Any:
    from moto.iot.models import iot_backends

    return iot_backends[place.account][place.region]
