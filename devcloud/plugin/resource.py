"""How moto's CloudFormation is taught a resource type.

moto asks a model class for `create_from_cloudformation_json` and its relatives; `Resource`
answers them and leaves three plain methods to each type: `create`, `update`, `remove`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Place:
    """Where a resource lives, and what the stack calls it."""

    account: str
    region: str
    logical_id: str = ""
    stack_id: str = ""
    resource_type: str = ""


_NAMED_BY_THE_USER = ("Attributes", "Components")
"""What maps names that are the user's own; they stay as they are."""


def as_api(value: Any, *, named: bool = False) -> Any:
    """CloudFormation's `RoleArn` is the API's `roleArn`, at every depth."""
    if isinstance(value, list):
        return [as_api(each) for each in value]
    if isinstance(value, dict):
        return {
            name if named else name[0].lower() + name[1:]: as_api(
                each, named=not named and name in _NAMED_BY_THE_USER
            )
            for name, each in value.items()
        }
    return value


class Resource:
    """One resource: what `Ref` gives, what `Fn::GetAtt` gives, and how it ends."""

    type_name: ClassVar[str]
    logical_resource_id: str = ""
    cf_resource_type: str = ""
    kept_when_replaced = False
    """`UpdateReplacePolicy` of the template that is deployed just now."""

    def __init__(self, place: Place, physical_id: str, attributes: Mapping[str, Any]) -> None:
        self.place = place
        self.physical_resource_id = physical_id
        self.attributes = dict(attributes)

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        raise NotImplementedError

    def update(self, properties: dict[str, Any]) -> Resource:
        """Replacement is CloudFormation's answer to a change of a create-only property."""
        return type(self).create(self.place, properties)

    def replaced(self, properties: dict[str, Any]) -> Resource:
        """The one of these properties; this one is removed, unless the template retains it."""
        made = type(self).create(self.place, properties)
        if not self.kept_when_replaced:
            self.remove()
        return made

    def remove(self) -> None:
        """Nothing to do unless the type says otherwise."""

    # moto's side

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,  # noqa: ARG003 (moto's signature)
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Resource:
        place = Place(
            account=account_id,
            region=region_name,
            logical_id=kwargs.get("LogicalId", ""),
            stack_id=kwargs.get("StackId", ""),
            resource_type=kwargs.get("ResourceType", cls.type_name),
        )
        return cls.create(place, cloudformation_json.get("Properties", {}))

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Resource,
        new_resource_name: str,  # noqa: ARG003 (moto's signature)
        cloudformation_json: dict[str, Any],
        account_id: str,  # noqa: ARG003
        region_name: str,  # noqa: ARG003
    ) -> Resource:
        original_resource.kept_when_replaced = (
            cloudformation_json.get("UpdateReplacePolicy") == "Retain"
        )
        return original_resource.update(cloudformation_json.get("Properties", {}))

    def delete(self, account_id: str, region: str) -> None:  # noqa: ARG002 (moto's signature)
        self.remove()

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:  # noqa: ARG003
        return True

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        if attribute_name in self.attributes:
            return self.attributes[attribute_name]
        raise KeyError(f"{self.place.resource_type} has no attribute {attribute_name!r}")

    def is_created(self) -> bool:
        return True


def register(*types: type[Resource]) -> None:
    """Add resource types to the maps that moto looks types up in."""
    from moto.cloudformation import parsing

    for resource_type in types:
        parsing.get_model_map()[resource_type.type_name] = resource_type
        parsing.get_name_type_map()[resource_type.type_name] = ""
