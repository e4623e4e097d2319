"""`AWS::GreengrassV2::*` for CloudFormation.

Everything but tags is create-only (registry schemas): a change is a replacement. The service's
handler cancels and deletes a deployment; a component version goes, unless it is retained.
"""

from __future__ import annotations

import contextlib
from typing import Any

from devcloud.greengrass_v2.backends import service_of
from devcloud.greengrass_v2.service import Refused
from devcloud.plugin.resource import Place, Resource, as_api


class ComponentVersion(Resource):
    type_name = "AWS::GreengrassV2::ComponentVersion"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        service = service_of(place.account, place.region)
        try:
            made = service.create_component(str(properties["InlineRecipe"]))
        except Refused as error:
            raise ValueError(f"{error.code}: {error}") from error
        named = {"Arn": made.arn, "ComponentName": made.name, "ComponentVersion": made.version}
        return cls(place, made.arn, {**named, "recipe": properties["InlineRecipe"]})

    def update(self, properties: dict[str, Any]) -> Resource:
        if properties["InlineRecipe"] == self.attributes["recipe"]:
            return self
        return type(self).create(self.place, properties)

    def remove(self) -> None:
        service = service_of(self.place.account, self.place.region)
        service.components.pop(self.physical_resource_id, None)


class Deployment(Resource):
    type_name = "AWS::GreengrassV2::Deployment"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        service = service_of(place.account, place.region)
        try:
            made = service.create_deployment(as_api(properties))
        except Refused as error:
            raise ValueError(f"{error.code}: {error}") from error
        resource = cls(place, made.id, {"DeploymentId": made.id})
        resource.attributes["given"] = properties
        return resource

    def update(self, properties: dict[str, Any]) -> Resource:
        if properties == self.attributes["given"]:
            return self
        made = type(self).create(self.place, properties)
        if not self.kept_when_replaced:
            self.remove()
        return made

    def remove(self) -> None:
        service = service_of(self.place.account, self.place.region)
        with contextlib.suppress(Refused):
            service.deployment(self.physical_resource_id).status = "CANCELED"
        service.deployments.pop(self.physical_resource_id, None)
