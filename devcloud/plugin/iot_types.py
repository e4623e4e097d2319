"""AWS IoT types that moto 5.2's CloudFormation lacks or answers wrongly."""

from __future__ import annotations

from typing import Any

from devcloud.plugin.resource import Place, Resource, register


def install() -> None:
    from moto.iot.models import FakePolicy, FakeThing

    register(ThingPrincipalAttachment, PolicyPrincipalAttachment)
    # `Ref` is the name; moto answers with the object itself.
    FakeThing.physical_resource_id = property(lambda thing: thing.thing_name)
    FakePolicy.physical_resource_id = property(lambda policy: policy.name)


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
