"""`AWS::Greengrass::*` for CloudFormation, kept by moto's own Greengrass V1 backend.

So whatever moto validates in the API is validated in a stack as well, and what a stack
made is read back by ordinary API calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from devcloud.plugin.resource import Place, Resource, register


@dataclass(frozen=True)
class Kind:
    """One kind of definition: `Core` has `Cores`, kept as `core_definitions`."""

    name: str
    content: str
    optional: tuple[str, ...] = ()

    @property
    def attribute(self) -> str:
        return f"{self.name.lower()}_definition"

    @property
    def version_arn_property(self) -> str:
        return f"{self.name}DefinitionVersionArn"


KINDS = (
    Kind("Core", "Cores"),
    Kind("Device", "Devices"),
    Kind("Function", "Functions", optional=("DefaultConfig",)),
    Kind("Resource", "Resources"),
    Kind("Subscription", "Subscriptions"),
    Kind("Logger", "Loggers"),
)


def install() -> None:
    register(Group, GroupVersion)
    for kind in KINDS:
        for base, name in (
            (Definition, f"{kind.name}Definition"),
            (DefinitionVersion, f"{kind.name}DefinitionVersion"),
        ):
            register(type(name, (base,), {"kind": kind, "type_name": f"AWS::Greengrass::{name}"}))


def backend_of(place: Place) -> Any:
    from moto.greengrass.models import greengrass_backends

    return greengrass_backends[place.account][place.region]


class Definition(Resource):
    """A shell; with `InitialVersion` (create-only, so a change replaces it) also a version."""

    kind: Kind

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        backend = backend_of(place)
        initial = properties.get("InitialVersion") or {cls.kind.content: []}
        made = getattr(backend, f"create_{cls.kind.attribute}")(properties["Name"], initial)
        if "InitialVersion" not in properties:
            _forget_versions(backend, cls.kind, made)
        return cls(place, made.id, {"Id": made.id, "Arn": made.arn, "Name": properties["Name"]})

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        if attribute_name == "LatestVersionArn":
            return self._stored().latest_version_arn
        return super().get_cfn_attribute(attribute_name)

    def update(self, properties: dict[str, Any]) -> Resource:
        backend = backend_of(self.place)
        getattr(backend, f"update_{self.kind.attribute}")(
            self.physical_resource_id, properties["Name"]
        )
        return self

    def remove(self) -> None:
        backend = backend_of(self.place)
        getattr(backend, f"delete_{self.kind.attribute}")(self.physical_resource_id)

    def _stored(self) -> Any:
        backend = backend_of(self.place)
        return getattr(backend, f"get_{self.kind.attribute}")(self.physical_resource_id)


def _forget_versions(backend: Any, kind: Kind, definition: Any) -> None:
    """moto makes a version of every new definition; the service makes none unasked."""
    getattr(backend, f"{kind.attribute}_versions")[definition.id] = {}
    definition.latest_version = definition.latest_version_arn = ""


class DefinitionVersion(Resource):
    """Immutable; the API cannot delete a version, so removing one does nothing."""

    kind: Kind

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        kind = cls.kind
        optional = [properties.get(name) or {} for name in kind.optional]
        made = getattr(backend_of(place), f"create_{kind.attribute}_version")(
            properties[f"{kind.name}DefinitionId"], properties[kind.content], *optional
        )
        return cls(place, made.arn, {})


class Group(Resource):
    type_name = "AWS::Greengrass::Group"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        backend = backend_of(place)
        initial = properties.get("InitialVersion")
        made = backend.create_group(properties["Name"], initial)
        if not initial:
            backend.group_versions[made.group_id] = {}
            made.latest_version = made.latest_version_arn = ""
        group = cls(place, made.group_id, {"Id": made.group_id, "Arn": made.arn})
        group._attach_role(properties)
        return group

    def update(self, properties: dict[str, Any]) -> Resource:
        backend_of(self.place).update_group(self.physical_resource_id, properties["Name"])
        self._attach_role(properties)
        return self

    def remove(self) -> None:
        backend = backend_of(self.place)
        backend.disassociate_role_from_group(self.physical_resource_id)
        backend.delete_group(self.physical_resource_id)

    def _attach_role(self, properties: dict[str, Any]) -> None:
        backend = backend_of(self.place)
        if role := properties.get("RoleArn"):
            backend.associate_role_to_group(self.physical_resource_id, role)
        else:
            backend.disassociate_role_from_group(self.physical_resource_id)


class GroupVersion(Resource):
    type_name = "AWS::Greengrass::GroupVersion"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        arns = {
            f"{kind.attribute}_version_arn": properties.get(kind.version_arn_property)
            for kind in KINDS
        }
        made = backend_of(place).create_group_version(properties["GroupId"], **arns)
        return cls(place, made.arn, {})
