"""Evaluate the CloudFormation functions that a synthesized Greengrass stack uses.

``Ref``, ``Fn::GetAtt``, ``Fn::Join``, ``Fn::Sub``, ``Fn::Select``, ``Fn::Split``,
``Fn::FindInMap``: enough for ARNs and ids of Greengrass, Lambda, IoT, S3 and IAM
resources. What cannot be known without a deployment is refused with its path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fanfold.common.errors import INVALID, UserError

_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]+)\}")
_DYNAMIC = re.compile(r"\{\{resolve:[^}]*\}\}")
_MAX_DEPTH = 64
SSM_TYPE = "AWS::SSM::Parameter::Value"


def _default_of(parameter: Mapping[str, Any]) -> Any:
    value, kind = parameter.get("Default"), str(parameter.get("Type"))
    if isinstance(value, str) and (kind == "CommaDelimitedList" or kind.startswith("List<")):
        return [item.strip() for item in value.split(",")]
    return value


class Resolver:
    """Resolves values of one template for one account and region."""

    def __init__(self, template: Mapping[str, Any], *, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self.resources: Mapping[str, Any] = template.get("Resources") or {}
        self._mappings = template.get("Mappings") or {}
        self._pseudo = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": "local",
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/local/0",
            "AWS::NoValue": None,
        }
        self._parameters = {
            name: _default_of(parameter)
            for name, parameter in (template.get("Parameters") or {}).items()
        }
        self._in_ssm = {
            name
            for name, parameter in (template.get("Parameters") or {}).items()
            if str(parameter.get("Type")).startswith(SSM_TYPE)
        }
        self._depth = 0
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Join": self._join,
            "Fn::Sub": self._sub,
            "Fn::Select": self._select,
            "Fn::Split": lambda a: self.resolve(a[1]).split(a[0]),
            "Fn::FindInMap": self._find_in_map,
        }

    def resolve(self, value: Any) -> Any:
        """The value with every function evaluated."""
        self._depth += 1
        try:
            if self._depth > _MAX_DEPTH:
                raise UserError(
                    "template: intrinsic functions are nested too deeply or refer to themselves",
                    INVALID,
                )
            return self._resolve(value)
        finally:
            self._depth -= 1

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if isinstance(value, str) and (reference := _DYNAMIC.search(value)):
            raise UserError(
                f"template: {reference[0]} is looked up where the template is deployed: write its "
                "value into the template",
                INVALID,
            )
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            (name, argument) = next(iter(value.items()))
            if name in self._functions:
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise UserError(
                    f"template: {name} is not evaluated here: write its value into the template",
                    INVALID,
                )
        return {key: self.resolve(item) for key, item in value.items()}

    def _select(self, argument: Any) -> Any:
        number, items = self.resolve(argument[0]), self.resolve(argument[1])
        try:
            return items[int(number)]
        except IndexError as error:
            raise UserError(
                f"template: Fn::Select: there is no item {number} in {items} ({len(items)} items); "
                "give the parameter that it comes from more items, separated by commas",
                INVALID,
            ) from error

    def _join(self, argument: Any) -> str:
        separator, items = argument
        return str(separator).join(str(item) for item in self.resolve(items))

    def _sub(self, argument: Any) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in variables:
                return str(self.resolve(variables[name]))
            logical_id, dot, attribute = name.partition(".")
            return str(self._get_att([logical_id, attribute]) if dot else self._ref(name))

        return _SUBSTITUTION.sub(replace, text)

    def _find_in_map(self, argument: Any) -> Any:
        name, first, second = (self.resolve(part) for part in argument)
        try:
            return self._mappings[name][first][second]
        except KeyError as error:
            raise UserError(f"template: no mapping {name}.{first}.{second}", INVALID) from error

    def _ref(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            if name in self._in_ssm:
                raise UserError(
                    f"template: parameter {name} is the name of a value in SSM "
                    f"({self._parameters[name]}): pass the value, --parameter {name}=VALUE",
                    INVALID,
                )
            return self._parameters[name]
        return self._identity(name, self._resource(name))

    def _get_att(self, argument: Any) -> str:
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        name, attribute = str(argument[0]), str(argument[1])
        resource = self._resource(name)
        if attribute == "Arn":
            return self._arn(name, resource)
        if attribute == "Id":
            return name
        if attribute == "Version" and resource.get("Type") == "AWS::Lambda::Version":
            return "1"
        return f"{name}.{attribute}"

    def _resource(self, name: str) -> Mapping[str, Any]:
        try:
            resource: Mapping[str, Any] = self.resources[name]
        except KeyError as error:
            raise UserError(
                f"template: refers to {name!r}, which it does not contain", INVALID
            ) from error
        return resource

    def _identity(self, name: str, resource: Mapping[str, Any]) -> str:
        """What ``Ref`` returns for a resource, by type."""
        kind = resource.get("Type")
        if kind == "AWS::Lambda::Version":
            return f"{self._function_arn(resource)}:1"
        if kind == "AWS::Lambda::Alias":
            alias = self.resolve(resource["Properties"]["Name"])
            return f"{self._function_arn(resource)}:{alias}"
        return self._physical_name(name, resource)

    def _physical_name(self, name: str, resource: Mapping[str, Any]) -> str:
        key = {
            "AWS::Lambda::Function": "FunctionName",
            "AWS::IoT::Thing": "ThingName",
            "AWS::S3::Bucket": "BucketName",
            "AWS::IAM::Role": "RoleName",
        }.get(str(resource.get("Type")))
        given = self.resolve((resource.get("Properties") or {}).get(key)) if key else None
        return str(given or name)

    def _function_arn(self, resource: Mapping[str, Any]) -> str:
        name = str(self.resolve(resource["Properties"]["FunctionName"]))
        if name.startswith("arn:"):
            return name
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{name}"

    def _arn(self, name: str, resource: Mapping[str, Any]) -> str:
        identity = self._physical_name(name, resource)
        place = f"{self.region}:{self.account}"
        patterns = {
            "AWS::Lambda::Function": f"arn:aws:lambda:{place}:function:{identity}",
            "AWS::IoT::Thing": f"arn:aws:iot:{place}:thing/{identity}",
            "AWS::S3::Bucket": f"arn:aws:s3:::{identity}",
            "AWS::IAM::Role": f"arn:aws:iam::{self.account}:role/{identity}",
        }
        return patterns.get(str(resource.get("Type")), f"arn:local:{identity}")
