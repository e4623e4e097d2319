"""`AWS::GreengrassV2::*` for CloudFormation.

Everything but tags is create-only (registry schemas): a change is a replacement. The service's
handler cancels and deletes a deployment; a component version goes, unless it is retained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from devcloud.greengrass_v2.backends import service_of
from devcloud.greengrass_v2.service import ApiRefusal, GreengrassV2
from devcloud.plugin.resource import Place, Resource, as_api


class ComponentVersion(Resource):
    type_name = "AWS::GreengrassV2::ComponentVersion"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        with _explained():
            made = _service(place).create_component(str(properties["InlineRecipe"]))
        named = {"Arn": made.arn, "ComponentName": made.name, "ComponentVersion": made.version}
        return cls(place, made.arn, {**named, "recipe": properties["InlineRecipe"]})

    def update(self, properties: dict[str, Any]) -> Resource:
        if properties["InlineRecipe"] == self.attributes["recipe"]:
            return self
        return type(self).create(self.place, properties)

    def remove(self) -> None:
        _service(self.place).components.pop(self.physical_resource_id, None)


class Deployment(Resource):
    type_name = "AWS::GreengrassV2::Deployment"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        with _explained():
            made = _service(place).create_deployment(as_api(properties))
        resource = cls(place, made.id, {"DeploymentId": made.id})
        resource.attributes["given"] = properties
        return resource

    def update(self, properties: dict[str, Any]) -> Resource:
        if properties == self.attributes["given"]:
            return self
        return self.replaced(properties)

    def remove(self) -> None:
        service = _service(self.place)
        with contextlib.suppress(ApiRefusal):
            service.deployment(self.physical_resource_id).status = "CANCELED"
        service.deployments.pop(self.physical_resource_id, None)


def _service(place: Place) -> GreengrassV2:
    return service_of(place.account, place.region)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What the service refuses is the stack's own event."""
    try:
        yield
    except ApiRefusal as error:
        raise ValueError(f"{error.code}: {error}") from error
