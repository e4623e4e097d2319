"""Plan → group document (docs/spec/group-document.md): the Greengrass API's own shapes.

Units and spelling are AWS's from here on: `MemorySize` in KB, `Timeout` in seconds.
"""

from __future__ import annotations

from typing import Any

from contract.limits import RUNTIME
from contract.topics import Topics
from infra.planning.model import (
    DeviceNode,
    Function,
    Isolation,
    Logger,
    ModelResource,
    Plan,
    Policy,
    Resource,
    Subscription,
    SystemFunction,
    Thing,
)
from infra.planning.site import Site
from infra.planning.storage import store_of

Document = dict[str, Any]
_MODE = {"container": "GreengrassContainer", "none": "NoContainer"}


def render(plan: Plan) -> Document:
    """The group document of a plan: JSON-ready, the same for the same plan."""
    return {
        "Name": plan.site.name,
        "Region": plan.site.region,
        "Account": plan.site.account,
        "Core": _thing(plan.core),
        "Devices": [_thing(device) for device in plan.devices],
        "Functions": [
            *(_function(function, plan.isolation) for function in plan.functions),
            *(_system(function) for function in plan.system_functions),
        ],
        "DefaultConfig": {"Execution": {"IsolationMode": _MODE[plan.isolation]}},
        "Resources": [_resource(resource) for resource in plan.resources],
        "Subscriptions": [_subscription(each) for each in plan.subscriptions],
        "Loggers": [_logger(logger) for logger in plan.loggers],
        "Lambdas": {
            function.arn: {
                "FunctionName": function.name,
                "Handler": function.handler,
                "Runtime": RUNTIME,
            }
            for function in plan.functions
        },
        "Cloud": _cloud(plan),
        **_target(plan.site),
    }


def _target(site: Site) -> Document:
    """What targets iot and v2 add, for the stack; a document of v1 is what it always was."""
    if site.target == "v1":
        return {}
    rollout = site.rollout
    found: Document = {
        "TimeoutSeconds": rollout.timeout_s,
        "Retries": rollout.retries,
        "PerMinute": rollout.per_minute,
        "Growth": rollout.growth and rollout.growth.model_dump(),
        "Abort": rollout.abort and rollout.abort.model_dump(),
        "Group": site.core.group,
    }
    if site.target == "iot":
        found["Bundle"] = site.core.bundle
    if site.target == "v2":
        found["Components"] = site.components.model_dump(mode="json")
    return {"Target": {"Name": site.target, **{k: v for k, v in found.items() if v is not None}}}


def _cloud(plan: Plan) -> Document:
    """What the stack makes beside the group; the core has no use for it."""
    site, found = plan.site, Document()
    topics = Topics(site.name, "+" if site.target != "v1" else None)
    to_cloud = site.cloud.mqtt
    if store := store_of(site):
        found["Results"] = {
            "Bucket": store.bucket,
            "Create": store.created,
            "KeepDays": store.keep_days,
            "Batches": {"Topic": topics.cloud_results, "Prefix": store.batches_prefix},
            "Jobs": {"Topic": topics.cloud_jobs, "Prefix": store.jobs_prefix},
        }
        if not to_cloud:
            del found["Results"]["Batches"]
        if not (to_cloud and site.job.to_cloud):
            del found["Results"]["Jobs"]
    if to_cloud and (monitor := site.cloud.monitor):
        found["Monitor"] = {
            "Topic": topics.cloud_health,
            "PeriodSeconds": monitor.every_s,
            "NoResultsMinutes": monitor.no_results_min,
            "FailedRecords": monitor.failed_records,
            "BacklogImages": monitor.backlog_percent
            and site.backlog.max_images * monitor.backlog_percent // 100,
            "WorkerRestarts": monitor.worker_restarts,
            "SnsTopic": monitor.sns_topic,
        }
    return found


def _thing(thing: Thing) -> Document:
    return {
        "Id": thing.id,
        "ThingName": thing.name,
        "ThingArn": thing.arn,
        "CertificateArn": thing.certificate_arn,
        "SyncShadow": False,
    }


def _function(function: Function, isolation: Isolation) -> Document:
    environment: Document = {
        "Variables": dict(sorted(function.environment.items())),
        "Execution": {"IsolationMode": _MODE[isolation]},
        "ResourceAccessPolicies": [_policy(policy) for policy in function.policies],
    }
    configuration: Document = {
        "Pinned": function.pinned,
        "Timeout": function.timeout_s,
        "EncodingType": function.encoding,
        "Environment": environment,
    }
    if isolation == "container":
        # Both are refused by the API for a function without a container.
        configuration["MemorySize"] = function.memory_kb
        environment["AccessSysfs"] = function.sysfs
    return {
        "Id": function.id,
        "FunctionArn": function.arn,
        "FunctionConfiguration": configuration,
    }


def _policy(policy: Policy) -> Document:
    if policy.permission is None:
        return {"ResourceId": policy.resource}
    return {"ResourceId": policy.resource, "Permission": policy.permission}


def _system(function: SystemFunction) -> Document:
    configuration: Document = {
        "Pinned": True,
        "MemorySize": function.memory_kb,
        "Timeout": function.timeout_s,
    }
    if function.executable:
        configuration["Executable"] = function.executable
    if function.environment:
        configuration["Environment"] = {"Variables": dict(function.environment)}
    return {
        "Id": function.id,
        "FunctionArn": function.arn,
        "FunctionConfiguration": configuration,
    }


def _resource(resource: Resource) -> Document:
    return {
        "Id": resource.id,
        "Name": resource.id,
        "ResourceDataContainer": _resource_data(resource),
    }


def _resource_data(resource: Resource) -> Document:
    if isinstance(resource, ModelResource):
        data: Document = {"S3Uri": resource.s3_uri, "DestinationPath": resource.destination}
        if resource.group_owner is not None:
            owner = {"GroupOwner": resource.group_owner, "GroupPermission": "ro"}
            data["OwnerSetting"] = owner
        return {"S3MachineLearningModelResourceData": data}
    owner_of_file = {"AutoAddGroupOwner": True}
    if isinstance(resource, DeviceNode):
        data = {"SourcePath": resource.path, "GroupOwnerSetting": owner_of_file}
        return {"LocalDeviceResourceData": data}
    return {
        "LocalVolumeResourceData": {
            "SourcePath": resource.path,
            "DestinationPath": resource.path,
            "GroupOwnerSetting": owner_of_file,
        }
    }


def _subscription(each: Subscription) -> Document:
    return {"Id": each.id, "Source": each.source, "Subject": each.subject, "Target": each.target}


def _logger(logger: Logger) -> Document:
    found: Document = {
        "Id": logger.id,
        "Component": logger.component,
        "Type": logger.type,
        "Level": logger.level,
    }
    if logger.space_kb is not None:
        found["Space"] = logger.space_kb
    return found
