"""`AWS::IoT::*` types that moto 5.2's CloudFormation lacks or answers wrongly."""

from __future__ import annotations

import json
import re
from typing import Any

from devcloud.plugin.resource import Place, Resource, as_api, register

LONGEST_POLICY = 2048
"""Characters without white space (AWS General Reference, IoT Core quotas)."""
MOST_VERSIONS = 5


def install() -> None:
    from moto.iot.models import FakePolicy, FakeThing

    register(
        Thing, ThingGroup, Policy, RoleAlias, ThingPrincipalAttachment, PolicyPrincipalAttachment
    )
    # `Ref` is the name; moto answers with the object itself.
    FakeThing.physical_resource_id = property(lambda thing: thing.thing_name)
    FakePolicy.physical_resource_id = property(lambda policy: policy.name)


class Thing(Resource):
    type_name = "AWS::IoT::Thing"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        name = properties["ThingName"]
        thing = _iot(place).create_thing(name, "", _attributes(properties))
        return cls(place, name, {"Arn": thing.arn, "Id": thing.thing_id})

    def update(self, properties: dict[str, Any]) -> Resource:
        if properties["ThingName"] != self.physical_resource_id:
            return self.replaced(properties)
        thing = _iot(self.place).describe_thing(self.physical_resource_id)
        thing.attributes = (_attributes(properties) or {}).get("attributes", {})
        return self

    def remove(self) -> None:
        _iot(self.place).delete_thing(self.physical_resource_id)


class ThingGroup(Resource):
    """Members are no property of the type: who owns the things adds them."""

    type_name = "AWS::IoT::ThingGroup"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        backend, name = _iot(place), properties["ThingGroupName"]
        arn = f"arn:aws:iot:{place.region}:{place.account}:thinggroup/{name}"
        if arn in backend.thing_groups:
            raise ValueError(f"thing group {name} already exists")
        given = as_api(properties.get("ThingGroupProperties") or {})
        _, arn, group_id = backend.create_thing_group(
            name, properties.get("ParentGroupName"), given
        )
        return cls(place, name, {"Arn": arn, "Id": group_id})

    def update(self, properties: dict[str, Any]) -> Resource:
        group = _iot(self.place).describe_thing_group(self.physical_resource_id)
        same = group.parent_group_name == properties.get("ParentGroupName")
        if properties["ThingGroupName"] != self.physical_resource_id or not same:
            return self.replaced(properties)
        group.thing_group_properties = as_api(properties.get("ThingGroupProperties") or {})
        return self

    def remove(self) -> None:
        _iot(self.place).delete_thing_group(self.physical_resource_id)


class Policy(Resource):
    """An update is a new default version; the oldest goes when there are five."""

    type_name = "AWS::IoT::Policy"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        name, document = properties["PolicyName"], _policy_text(properties)
        policy = _iot(place).create_policy(name, document)
        return cls(place, name, {"Arn": policy.arn, "Id": f"{name}_1"})

    def update(self, properties: dict[str, Any]) -> Resource:
        if properties["PolicyName"] != self.physical_resource_id:
            return self.replaced(properties)
        backend, name = _iot(self.place), self.physical_resource_id
        policy = backend.get_policy(name)
        old = [version for version in policy.versions if not version.is_default]
        if len(policy.versions) >= MOST_VERSIONS:
            backend.delete_policy_version(name, old[0].version_id)
        backend.create_policy_version(name, _policy_text(properties), True)
        policy.document = _policy_text(properties)
        return self

    def remove(self) -> None:
        backend, name = _iot(self.place), self.physical_resource_id
        for version in [v for v in backend.get_policy(name).versions if not v.is_default]:
            backend.delete_policy_version(name, version.version_id)
        backend.delete_policy(name)


class RoleAlias(Resource):
    type_name = "AWS::IoT::RoleAlias"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        name = properties["RoleAlias"]
        duration_s = int(properties.get("CredentialDurationSeconds", 3600))
        if not 900 <= duration_s <= 43_200:
            raise ValueError(f"CredentialDurationSeconds {duration_s}: 900 to 43200")
        alias = _iot(place).create_role_alias(name, properties["RoleArn"], duration_s)
        return cls(place, name, {"RoleAliasArn": alias.arn})

    def update(self, properties: dict[str, Any]) -> Resource:
        if properties["RoleAlias"] != self.physical_resource_id:
            return self.replaced(properties)
        duration_s = int(properties.get("CredentialDurationSeconds", 3600))
        _iot(self.place).update_role_alias(
            self.physical_resource_id, properties["RoleArn"], duration_s
        )
        return self

    def remove(self) -> None:
        _iot(self.place).delete_role_alias(self.physical_resource_id)


def _attributes(properties: dict[str, Any]) -> dict[str, Any] | None:
    given = properties.get("AttributePayload") or {}
    return {"attributes": dict(given.get("Attributes") or {})}


def _policy_text(properties: dict[str, Any]) -> str:
    """The document as the API keeps it. Raises ValueError beyond AWS's own limit."""
    document = properties["PolicyDocument"]
    text = document if isinstance(document, str) else json.dumps(document)
    size = len(re.sub(r"\s", "", text))
    if size > LONGEST_POLICY:
        raise ValueError(
            f"policy {properties['PolicyName']}: {size} characters, at most {LONGEST_POLICY}"
        )
    return text


def _iot(place: Place) -> Any:
    from moto.iot.models import iot_backends

    return iot_backends[place.account][place.region]


class ThingPrincipalAttachment(Resource):
    type_name = "AWS::IoT::ThingPrincipalAttachment"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        thing, principal = properties["ThingName"], properties["Principal"]
        _iot(place).attach_thing_principal(thing, principal)
        return cls(place, f"{principal}|{thing}", {"thing": thing, "principal": principal})

    def remove(self) -> None:
        _iot(self.place).detach_thing_principal(
            self.attributes["thing"], self.attributes["principal"]
        )


class PolicyPrincipalAttachment(Resource):
    type_name = "AWS::IoT::PolicyPrincipalAttachment"

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        policy, principal = properties["PolicyName"], properties["Principal"]
        _iot(place).attach_policy(policy, principal)
        return cls(place, f"{policy}|{principal}", {"policy": policy, "principal": principal})

    def remove(self) -> None:
        _iot(self.place).detach_policy(self.attributes["policy"], self.attributes["principal"])
