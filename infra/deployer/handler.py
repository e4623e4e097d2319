"""`Custom::GreengrassDeployment`: a group version deployed with its stack, reset before it goes.

CloudFormation has no deployment resource for Greengrass V1. On create and update this
handler calls CreateDeployment and waits for its end; on delete it resets the group, which
cannot be deleted while it is deployed. It answers CloudFormation exactly once, whatever
happens: a handler that does not answer blocks the stack for an hour.

Properties: `GroupId`, `GroupVersionArn`, `Revision` (anything; a change deploys again),
`RuntimeOverride` (optional: what runs the functions on the device).
How long to wait for the core (0: not at all) is `WAIT_SECONDS` of its own environment, not a
property of the resource: another wait is no reason for another deployment.
CloudFormation does not know the API's `FunctionRuntimeOverride`. With `RuntimeOverride` the
group version that is deployed is a copy of the stack's whose functions carry it.
A core that is switched off does not fail the stack: after that time the answer is
SUCCESS with `DeploymentStatus` `InProgress`, and the core takes the group when it returns.
A deployment that the core reports as failed does fail it.
"""

from __future__ import annotations

import json
import os
import time
import traceback
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

POLL_S = 2.0
MARGIN_S = 15.0  # of the function's own timeout, kept to answer in
CONFLICT_TRIES = 5
SYSTEM_FUNCTIONS = "arn:aws:lambda:::function:"  # AWS's own: no override
REASON_CHARACTERS = 1000  # CloudFormation takes an answer of 4 KB


class DeploymentError(Exception):
    """The core refused the group."""


def handler(event: dict[str, Any], context: Any) -> None:
    """Entry point of AWS Lambda: never raises."""
    answer_with(
        event,
        _physical_id(event),
        lambda: _handle(event, boto3.client("greengrass", config=client_config()), Clock(context)),
    )


def answer_with(event: dict[str, Any], name: str, work: Callable[[], dict[str, str]]) -> None:
    """Answer CloudFormation with what `work` returns, or with why it failed.

    `name`: the physical id of a resource that has none yet.
    """
    answer: dict[str, Any] = {"Status": "FAILED", "Reason": "", "Data": {}}
    try:
        answer.update(Status="SUCCESS", Data=work())
    except DeploymentError as error:
        answer["Reason"] = str(error)
    except Exception as error:
        traceback.print_exc()
        answer["Reason"] = f"{type(error).__name__}: {error}"
    _respond(event, answer, name)


def _handle(event: dict[str, Any], greengrass: Any, clock: Clock) -> dict[str, str]:
    properties = event["ResourceProperties"]
    group_id = properties["GroupId"]
    if event["RequestType"] == "Delete":
        _reset(greengrass, group_id)
        return {}
    version_id = properties["GroupVersionArn"].rsplit("/", 1)[-1]
    if runtime := properties.get("RuntimeOverride"):
        version_id = _overridden(greengrass, group_id, version_id, runtime)
    deployment_id = _deploy(greengrass, group_id, version_id, clock)
    status = _wait(greengrass, group_id, deployment_id, wait_s(clock), clock)
    return {
        "DeploymentId": deployment_id,
        "GroupVersionId": version_id,
        "DeploymentStatus": status,
    }


def wait_s(clock: Clock) -> float:
    """For how long a device is waited for: as asked for, and no longer than there is time."""
    return min(float(os.environ.get("WAIT_SECONDS") or 0), clock.left_s())


def _overridden(greengrass: Any, group_id: str, version_id: str, runtime: str) -> str:
    """The same group version with `FunctionRuntimeOverride` on every user function; its id."""
    group = greengrass.get_group_version(GroupId=group_id, GroupVersionId=version_id)["Definition"]
    *_, definition_id, _, function_version = group["FunctionDefinitionVersionArn"].split("/")
    definition = greengrass.get_function_definition_version(
        FunctionDefinitionId=definition_id, FunctionDefinitionVersionId=function_version
    )["Definition"]
    for function in definition["Functions"]:
        if not function["FunctionArn"].startswith(SYSTEM_FUNCTIONS):
            function["FunctionConfiguration"]["FunctionRuntimeOverride"] = runtime
    # The token makes a repeated call answer with the version that the first one made.
    token = f"{version_id}-{runtime}"
    made = greengrass.create_function_definition_version(
        AmznClientToken=token, FunctionDefinitionId=definition_id, **definition
    )
    arns = {**group, "FunctionDefinitionVersionArn": made["Arn"]}
    version = greengrass.create_group_version(AmznClientToken=token, GroupId=group_id, **arns)
    return str(version["Version"])


def _deploy(greengrass: Any, group_id: str, version_id: str, clock: Clock) -> str:
    """CreateDeployment; one that is still running is waited for a few times."""
    for tries_left in reversed(range(CONFLICT_TRIES)):
        try:
            made = greengrass.create_deployment(
                GroupId=group_id, GroupVersionId=version_id, DeploymentType="NewDeployment"
            )
        except ClientError as error:
            if not tries_left or "oncurrent" not in str(error) or clock.left_s() <= 0:
                raise
            clock.sleep(POLL_S)
        else:
            return str(made["DeploymentId"])
    raise AssertionError("unreachable")


def _wait(greengrass: Any, group_id: str, deployment_id: str, wait_s: float, clock: Clock) -> str:
    deadline = clock.now() + wait_s
    while True:
        answer = greengrass.get_deployment_status(GroupId=group_id, DeploymentId=deployment_id)
        status = str(answer["DeploymentStatus"])
        if status == "Failure":
            reason = answer.get("ErrorMessage") or "no reason given"
            raise DeploymentError(f"deployment {deployment_id} failed on the core: {reason}")
        if status == "Success" or clock.now() >= deadline:
            return status
        clock.sleep(POLL_S)


def _reset(greengrass: Any, group_id: str) -> None:
    """Forced, so that a core that will never answer does not keep the stack."""
    try:
        greengrass.reset_deployments(GroupId=group_id, Force=True)
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        print(f"group {group_id} is gone already: {error}")  # noqa: T201 (CloudWatch Logs)


def _respond(event: dict[str, Any], answer: dict[str, Any], name: str) -> None:
    body = {
        "PhysicalResourceId": event.get("PhysicalResourceId") or name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        **answer,
        "Reason": answer["Reason"][:REASON_CHARACTERS] or "see Data",
    }
    request = urllib.request.Request(  # noqa: S310 (CloudFormation's own address)
        event["ResponseURL"],
        data=json.dumps(body).encode(),
        headers={"Content-Type": ""},  # what the address was signed for
        method="PUT",
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def _physical_id(event: dict[str, Any]) -> str:
    """Stable for the group, so that an update never looks like a replacement."""
    return f"deployment-of-{event['ResourceProperties'].get('GroupId', 'unknown')}"


def client_config() -> Any:
    return Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard"})


class Clock:
    """Time left of this invocation, less what answering takes."""

    def __init__(self, context: Any) -> None:
        left_s = float(context.get_remaining_time_in_millis()) / 1000
        self._end = time.monotonic() + left_s - MARGIN_S

    now = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    def left_s(self) -> float:
        return max(0.0, self._end - self.now())
