"""The deployer's handler against moto's Greengrass and a real answer address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.deployer import handler

REGION = "us-east-1"


class Context:
    def __init__(self, left_s: float = 60.0) -> None:
        self.left_s = left_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left_s * 1000)


class Answers:
    """CloudFormation's side of `ResponseURL`: keeps every PUT."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def only(self) -> dict[str, Any]:
        (answer,) = self.received
        return answer


@pytest.fixture
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def greengrass(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(handler, "POLL_S", 0.01)
    with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
        yield boto3.client("greengrass")


@pytest.fixture
def group(greengrass: Any) -> dict[str, str]:
    """A group that can be deployed."""
    arn = f"arn:aws:iot:{REGION}:123456789012:thing/core"
    cores = greengrass.create_core_definition(
        InitialVersion={"Cores": [{"Id": "core", "ThingArn": arn, "CertificateArn": arn}]}
    )
    made = greengrass.create_group(
        Name="g", InitialVersion={"CoreDefinitionVersionArn": cores["LatestVersionArn"]}
    )
    return {"GroupId": made["Id"], "GroupVersionArn": made["LatestVersionArn"]}


def event(kind: str, answers: Answers, properties: dict[str, str]) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResponseURL": answers.url,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Deployment",
        "ResourceProperties": properties,
    }


def deployments(greengrass: Any, group: dict[str, str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = greengrass.list_deployments(GroupId=group["GroupId"])[
        "Deployments"
    ]
    return found


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_new_group_version_is_deployed(greengrass, group, answers, kind):
    handler.handler(event(kind, answers, group), Context())

    (deployment,) = deployments(greengrass, group)
    answer = answers.only()
    assert answer["Status"] == "SUCCESS"
    assert answer["Data"]["DeploymentId"] == deployment["DeploymentId"]
    assert answer["Data"]["GroupVersionId"] == group["GroupVersionArn"].rsplit("/", 1)[-1]


def test_a_core_that_is_switched_off_does_not_fail_the_stack(
    greengrass, group, answers, monkeypatch
):
    monkeypatch.setenv("WAIT_SECONDS", "0.05")

    handler.handler(event("Create", answers, group), Context())

    assert answers.only()["Status"] == "SUCCESS"
    assert answers.only()["Data"]["DeploymentStatus"] == "InProgress"


def test_waiting_ends_in_time_to_answer(greengrass, group, answers, monkeypatch):
    monkeypatch.setenv("WAIT_SECONDS", "3600")
    context = Context(left_s=handler.MARGIN_S + 0.05)

    handler.handler(event("Create", answers, group), context)

    assert answers.only()["Status"] == "SUCCESS"


def test_the_resource_keeps_its_id_when_the_group_version_changes(greengrass, group, answers):
    handler.handler(event("Create", answers, group), Context())
    handler.handler(event("Update", answers, group), Context())

    first, second = answers.received
    assert first["PhysicalResourceId"] == second["PhysicalResourceId"]


def test_delete_resets_the_group(greengrass, group, answers):
    handler.handler(event("Create", answers, group), Context())
    handler.handler(event("Delete", answers, group), Context())

    kinds = [deployment["DeploymentType"] for deployment in deployments(greengrass, group)]
    assert kinds[0] == "NewDeployment"
    assert kinds[1].endswith("ResetDeployment")


def test_deleting_a_group_that_is_gone_succeeds(greengrass, group, answers):
    greengrass.delete_group(GroupId=group["GroupId"])

    handler.handler(event("Delete", answers, group), Context())

    assert answers.only()["Status"] == "SUCCESS"


def test_what_the_service_refuses_is_answered_with_its_reason(greengrass, group, answers):
    gone = {**group, "GroupVersionArn": "arn:x/versions/none"}

    handler.handler(event("Create", answers, gone), Context())

    assert answers.only()["Status"] == "FAILED"
    assert "none" in answers.only()["Reason"]


def test_a_malformed_request_is_answered_as_well(greengrass, answers):
    handler.handler(event("Create", answers, {}), Context())

    assert answers.only()["Status"] == "FAILED"
    assert "GroupId" in answers.only()["Reason"]


class Refusing:
    """A service whose deployments fail, or are busy for a while."""

    def __init__(self, status: str = "Success", busy: int = 0) -> None:
        self.status, self.busy, self.created = status, busy, 0

    def create_deployment(self, **_: Any) -> dict[str, str]:
        if self.busy:
            self.busy -= 1
            error = {"Code": "BadRequestException", "Message": "ConcurrentDeployment"}
            raise ClientError({"Error": error}, "CreateDeployment")  # type: ignore[typeddict-item]
        self.created += 1
        return {"DeploymentId": "d1"}

    def get_deployment_status(self, **_: Any) -> dict[str, str]:
        return {"DeploymentStatus": self.status, "ErrorMessage": "no space on /greengrass"}

    def reset_deployments(self, **arguments: Any) -> None:
        self.reset = arguments


def run(
    service: Refusing, answers: Answers, monkeypatch: pytest.MonkeyPatch, kind: str = "Create"
) -> dict[str, Any]:
    monkeypatch.setattr(handler.boto3, "client", lambda *_, **__: service)
    monkeypatch.setattr(handler, "POLL_S", 0.01)
    properties = {"GroupId": "g", "GroupVersionArn": "a/v1"}
    handler.handler(event(kind, answers, properties), Context())
    return answers.only()


def test_a_deployment_that_fails_on_the_core_fails_the_stack(answers, monkeypatch):
    answer = run(Refusing(status="Failure"), answers, monkeypatch)

    assert answer["Status"] == "FAILED"
    assert "no space on /greengrass" in answer["Reason"]


def test_a_running_deployment_is_waited_for(answers, monkeypatch):
    service = Refusing(busy=2)

    assert run(service, answers, monkeypatch)["Status"] == "SUCCESS"
    assert service.created == 1


def test_a_reset_is_forced_so_that_a_dead_core_keeps_no_stack(answers, monkeypatch):
    service = Refusing()
    run(service, answers, monkeypatch, kind="Delete")

    assert service.reset == {"GroupId": "g", "Force": True}


def test_an_override_deploys_a_copy_of_the_group_whose_functions_carry_it(greengrass, answers):
    arn = f"arn:aws:iot:{REGION}:123456789012:thing/core"
    cores = greengrass.create_core_definition(
        InitialVersion={"Cores": [{"Id": "core", "ThingArn": arn, "CertificateArn": arn}]}
    )
    user = f"arn:aws:lambda:{REGION}:123456789012:function:f:live"
    system = "arn:aws:lambda:::function:GGIPDetector:1"
    functions = greengrass.create_function_definition(
        InitialVersion={
            "Functions": [
                {"Id": name, "FunctionArn": of, "FunctionConfiguration": {"Pinned": True}}
                for name, of in (("user", user), ("system", system))
            ]
        }
    )
    made = greengrass.create_group(
        Name="g",
        InitialVersion={
            "CoreDefinitionVersionArn": cores["LatestVersionArn"],
            "FunctionDefinitionVersionArn": functions["LatestVersionArn"],
        },
    )
    group = {
        "GroupId": made["Id"],
        "GroupVersionArn": made["LatestVersionArn"],
        "RuntimeOverride": "python3.8",
    }

    handler.handler(event("Create", answers, group), Context())

    answer = answers.only()
    assert answer["Status"] == "SUCCESS", answer
    deployed = answer["Data"]["GroupVersionId"]
    assert deployed != made["LatestVersion"]
    version = greengrass.get_group_version(GroupId=made["Id"], GroupVersionId=deployed)
    definition = version["Definition"]
    assert definition["CoreDefinitionVersionArn"] == cores["LatestVersionArn"]
    function_version = definition["FunctionDefinitionVersionArn"].rpartition("/")[2]
    copied = greengrass.get_function_definition_version(
        FunctionDefinitionId=functions["Id"], FunctionDefinitionVersionId=function_version
    )["Definition"]["Functions"]
    said = {f["Id"]: f["FunctionConfiguration"].get("FunctionRuntimeOverride") for f in copied}
    assert said == {"user": "python3.8", "system": None}
