"""The HTTP API as botocore's `greengrassv2` speaks it, beside moto's V1 paths of the same host."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from devcloud.greengrass_v2 import backends, data_plane, health
from devcloud.greengrass_v2.backends import service_of
from devcloud.greengrass_v2.service import ApiRefusal, ComponentVersion, Deployment, GreengrassV2
from devcloud.greengrass_v2.stack_types import ComponentVersion as ComponentVersionType
from devcloud.greengrass_v2.stack_types import Deployment as DeploymentType
from devcloud.plugin.resource import register

if TYPE_CHECKING:
    from devcloud.iot.cloud import IotCloud

Body = dict[str, Any]
Answer = Callable[[GreengrassV2, Body, "re.Match[str]"], Body]
BASE = "/greengrass/v2"


def install(cloud: IotCloud) -> None:
    """Teach moto in this process. `cloud`: where deployments' jobs go, and devices ask."""
    from moto.greengrass import urls

    register(ComponentVersionType, DeploymentType)
    urls.url_paths[f"{{0}}{BASE}/(?P<rest>.+)$"] = respond
    health.install(cloud.broker)
    backends.use(cloud)
    cloud.paths[data_plane.PREFIX] = data_plane.answer


def respond(request: Any, full_url: str, headers: Any) -> tuple[int, dict[str, Any], str]:
    """One request; moto's signature of a route."""
    from moto.core.responses import BaseResponse

    asked = BaseResponse(service_name="greengrass")
    asked.setup_class(request, full_url, headers)
    path = unquote(asked.path)
    body = json.loads(asked.body) if asked.body else {}
    body |= {name: values[0] for name, values in asked.querystring.items() if values}
    service = service_of(asked.current_account, asked.region)
    for method, pattern, answer in _ROUTES:
        found = re.fullmatch(BASE + pattern, path)
        if found and method == asked.method:
            try:
                return (
                    200,
                    {"Content-Type": "application/json"},
                    json.dumps(answer(service, body, found)),
                )
            except ApiRefusal as error:
                head = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
                return error.status, head, json.dumps({"message": str(error)})
    head = {"x-amzn-errortype": "ValidationException"}
    return 400, head, json.dumps({"message": f"{asked.method} {path} is not served here"})


def _create_component(service: GreengrassV2, body: Body, _: re.Match[str]) -> Body:
    """A blob travels in base64."""
    made = service.create_component(base64.b64decode(body.get("inlineRecipe") or "").decode())
    return {**_named(made), "creationTimestamp": made.created_at, "status": _DEPLOYABLE}


def _get_component(service: GreengrassV2, _: Body, found: re.Match[str]) -> Body:
    made = service.component(found["arn"])
    recipe = base64.b64encode(json.dumps(made.recipe).encode()).decode()
    return {"recipeOutputFormat": "JSON", "recipe": recipe}


def _describe(service: GreengrassV2, _: Body, found: re.Match[str]) -> Body:
    made = service.component(found["arn"])
    return {**_named(made), "creationTimestamp": made.created_at, "status": _DEPLOYABLE}


def _delete_component(service: GreengrassV2, _: Body, found: re.Match[str]) -> Body:
    del service.components[service.component(found["arn"]).arn]
    return {}


def _list_components(service: GreengrassV2, _: Body, __: re.Match[str]) -> Body:
    latest = {made.name: made for made in service.components.values()}
    return {
        "components": [
            {"arn": m.arn.rpartition(":versions:")[0], "componentName": m.name,
             "latestVersion": {"arn": m.arn, "componentVersion": m.version}}
            for m in latest.values()
        ]
    }  # fmt: skip


def _list_versions(service: GreengrassV2, _: Body, found: re.Match[str]) -> Body:
    made = [m for m in service.components.values() if m.arn.startswith(f"{found['arn']}:versions:")]
    return {"componentVersions": [_named(m) for m in made]}


def _create_deployment(service: GreengrassV2, body: Body, _: re.Match[str]) -> Body:
    made = service.create_deployment(body)
    return {"deploymentId": made.id, "iotJobId": made.id}


def _get_deployment(service: GreengrassV2, _: Body, found: re.Match[str]) -> Body:
    made = service.deployment(found["id"])
    shown = {**_shown(service, made), "iotJobArn": made.configuration_arn, "iotJobId": made.id}
    return {**made.given, **shown}


def _list_deployments(service: GreengrassV2, body: Body, _: re.Match[str]) -> Body:
    target = body.get("targetArn")
    made = [d for d in service.deployments.values() if target in (None, d.target)]
    if body.get("historyFilter", "LATEST_ONLY") == "LATEST_ONLY":  # AWS's default
        made = [d for d in made if service.latest(d.target) is d]
    return {"deployments": [_shown(service, d) for d in made]}


def _cancel(service: GreengrassV2, _: Body, found: re.Match[str]) -> Body:
    service.deployment(found["id"]).status = "CANCELED"
    return {"message": "canceled"}


def _delete_deployment(service: GreengrassV2, _: Body, found: re.Match[str]) -> Body:
    del service.deployments[service.deployment(found["id"]).id]
    return {}


def _effective(service: GreengrassV2, _: Body, found: re.Match[str]) -> Body:
    thing = found["thing"]
    return {
        "effectiveDeployments": [
            {
                "deploymentId": d.id, "deploymentName": d.given.get("deploymentName") or "",
                "iotJobArn": d.configuration_arn, "iotJobId": d.id, "targetArn": d.target,
                "creationTimestamp": d.created_at,
                "modifiedTimestamp": d.created_at,
                "coreDeviceExecutionStatus": d.told.get(thing, ("QUEUED", ""))[0],
                "reason": d.told.get(thing, ("", ""))[1],
            }
            for d in service.effective(thing)
        ]
    }  # fmt: skip


def _resolve(service: GreengrassV2, body: Body, _: re.Match[str]) -> Body:
    found = service.resolve(list(body.get("componentCandidates") or []))
    return {"resolvedComponentVersions": found}


def _named(made: ComponentVersion) -> Body:
    return {"arn": made.arn, "componentName": made.name, "componentVersion": made.version}


def _shown(service: GreengrassV2, made: Deployment) -> Body:
    latest = service.latest(made.target)
    return {
        "targetArn": made.target, "deploymentId": made.id, "deploymentStatus": made.status,
        "deploymentName": made.given.get("deploymentName") or "", "revisionId": "1",
        "creationTimestamp": made.created_at, "isLatestForTarget": latest is made,
    }  # fmt: skip


_DEPLOYABLE = {"componentState": "DEPLOYABLE", "message": "NONE", "errors": {}}
_ARN, _ID, _THING = (
    r"/components/(?P<arn>[^/]+)",
    r"/deployments/(?P<id>[^/]+)",
    r"(?P<thing>[^/]+)",
)
_ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/createComponentVersion", _create_component),
    ("GET", f"{_ARN}/metadata", _describe),
    ("GET", f"{_ARN}/versions", _list_versions),
    ("GET", _ARN, _get_component),
    ("DELETE", _ARN, _delete_component),
    ("GET", "/components", _list_components),
    ("POST", "/deployments", _create_deployment),
    ("POST", f"{_ID}/cancel", _cancel),
    ("GET", _ID, _get_deployment),
    ("DELETE", _ID, _delete_deployment),
    ("GET", "/deployments", _list_deployments),
    ("GET", f"/coreDevices/{_THING}/effectiveDeployments", _effective),
    ("POST", "/resolveComponentCandidates", _resolve),
)
