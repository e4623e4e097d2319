"""The group document as `AWS::Greengrass::*` resources.

The document already has CloudFormation's shapes, so it is passed on as it is: what the
planner wrote is what the group gets. Definitions and the group are shells that never
change; every change is a new `*Version` whose logical id carries the hash of its content.
(`InitialVersion` is create-only: a change of it would replace the group and orphan the
device. The typed classes of `aws_greengrass` would only rename every key back and forth.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import CfnResource
from constructs import Construct

from infra.planning.definitions import KINDS, Kind
from infra.stacks.acknowledgements import SYSTEM_FUNCTIONS


class Definitions(Construct):
    """All definitions of one group, with the version of each that the document asks for."""

    def __init__(self, scope: Construct, construct_id: str, *, document: Mapping[str, Any]) -> None:
        super().__init__(scope, construct_id)
        self.versions: dict[str, CfnResource] = {}
        self.definitions: dict[str, CfnResource] = {}
        for kind in KINDS:
            properties = kind.version_properties(document)
            if properties[kind.content]:
                self.versions[kind.name] = self._version(kind, document["Name"], properties)

    def _version(self, kind: Kind, site: str, properties: dict[str, Any]) -> CfnResource:
        definition = CfnResource(
            self,
            kind.content,
            type=f"AWS::Greengrass::{kind.name}Definition",
            properties={"Name": f"fanfold-{site}-{kind.content.lower()}"},
        )
        self.definitions[kind.name] = definition
        version = CfnResource(
            self,
            f"{kind.name}Version{content_hash(properties)}",
            type=f"AWS::Greengrass::{kind.name}DefinitionVersion",
            properties={f"{kind.name}DefinitionId": definition.ref, **properties},
        )
        if kind.name == "Function":
            version.add_metadata("cfn-lint", SYSTEM_FUNCTIONS)
        return version


class Group(Construct):
    """The group, its role, and the version that ties the definitions together."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        role_arn: str,
        versions: Mapping[str, CfnResource],
    ) -> None:
        super().__init__(scope, construct_id)
        self.group = CfnResource(
            self,
            "Group",
            type="AWS::Greengrass::Group",
            properties={"Name": name, "RoleArn": role_arn},
        )
        content = sorted(version.node.id for version in versions.values())
        arns = {f"{kind}DefinitionVersionArn": version.ref for kind, version in versions.items()}
        self.version = CfnResource(
            self,
            f"Version{content_hash(content)}",
            type="AWS::Greengrass::GroupVersion",
            properties={"GroupId": self.group.ref, **arns},
        )


def content_hash(content: Mapping[str, Any] | Sequence[Any]) -> str:
    """Twelve hex digits of the canonical JSON: enough for a logical id within one stack."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
