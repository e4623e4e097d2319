"""Custom resources without Docker: the handler's archive unpacked and run in a process.

moto starts a container for them, does not wait for an answer on update, calls nothing on
delete, and ignores `FAILED`. Here the stack operation waits for the handler's answer.
"""

from __future__ import annotations

import uuid
from typing import Any

from devcloud.plugin.handler_process import Invocation, invoke
from devcloud.plugin.lambdas import code_zip
from devcloud.plugin.resource import Place, Resource


def install(endpoint_url: str) -> None:
    from moto.cloudformation import parsing

    CustomResource.endpoint_url = endpoint_url
    parsing.CustomModel = CustomResource  # what moto gives every type named `Custom::…`
    parsing.get_model_map()["AWS::CloudFormation::CustomResource"] = CustomResource


class CustomResourceError(Exception):
    """The handler answered FAILED, or not at all."""


class CustomResource(Resource):
    type_name = "Custom::"
    endpoint_url = ""
    properties: dict[str, Any]

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        answer = cls._call(place, "Create", properties, {})
        made = cls(place, answer["PhysicalResourceId"], answer.get("Data") or {})
        made.properties = properties
        return made

    def update(self, properties: dict[str, Any]) -> Resource:
        answer = self._call(
            self.place,
            "Update",
            properties,
            {
                "PhysicalResourceId": self.physical_resource_id,
                "OldResourceProperties": self.properties,
            },
        )
        changed = type(self)(self.place, answer["PhysicalResourceId"], answer.get("Data") or {})
        changed.properties = properties
        if changed.physical_resource_id != self.physical_resource_id:
            self.remove()
        return changed

    def remove(self) -> None:
        self._call(
            self.place,
            "Delete",
            self.properties,
            {"PhysicalResourceId": self.physical_resource_id},
        )

    @classmethod
    def _call(
        cls, place: Place, request_type: str, properties: dict[str, Any], extra: dict[str, Any]
    ) -> dict[str, Any]:
        from moto.awslambda.utils import get_backend

        function = get_backend(place.account, place.region).get_function(properties["ServiceToken"])
        event = {
            "RequestType": request_type,
            "ServiceToken": properties["ServiceToken"],
            "StackId": place.stack_id,
            "RequestId": str(uuid.uuid4()),
            "LogicalResourceId": place.logical_id,
            "ResourceType": place.resource_type,
            "ResourceProperties": properties,
            **extra,
        }
        answer = invoke(
            Invocation(
                archive=code_zip(function),
                handler=function.handler,
                event=event,
                timeout_s=float(function.timeout),
                environment={
                    **(function.environment_vars or {}),
                    "AWS_ENDPOINT_URL": cls.endpoint_url,
                    "AWS_REGION": place.region,
                    "AWS_DEFAULT_REGION": place.region,
                    "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
                },
            )
        )
        if answer.get("Status") != "SUCCESS":
            raise CustomResourceError(answer.get("Reason") or "the handler gave no reason")
        return answer
