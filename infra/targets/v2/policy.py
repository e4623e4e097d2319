"""What a device under a nucleus may do: its certificate's policy, and the token exchange role's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.targets.iot.policy import Policy, refuse_too_long, role_statements
from infra.targets.v2.names import V2Names

THING = "${iot:Connection.Thing.ThingName}"
BY_CREDENTIALS = "${credentials-iot:ThingName}"
DATA_PLANE = (
    "greengrass:GetComponentVersionArtifact",
    "greengrass:ResolveComponentCandidates",
    "greengrass:GetDeploymentConfiguration",
    "greengrass:ListThingGroupsForCoreDevice",
)
"""Developer guide, "Minimal AWS IoT policy for AWS IoT Greengrass V2 core devices"."""


def core_device_policy(document: Mapping[str, Any]) -> Policy:
    """The AWS IoT policy of a site's core devices. Raises InvalidInput beyond AWS's limit."""
    names = V2Names.of(document)
    topics = [f"$aws/things/{THING}*/{rest}" for rest in ("jobs/*", "shadow/*", "greengrass/*")]
    topics += [f"$aws/things/{THING}/greengrassv2/health/json"]
    statements = [
        _allow(["iot:Connect"], [names.arn(f"client/{THING}*")]),
        _allow(["iot:Publish", "iot:Receive"], [names.arn(f"topic/{t}") for t in topics]),
        _allow(["iot:Subscribe"], [names.arn(f"topicfilter/{t}") for t in topics]),
        # The data plane knows no narrower resource for a certificate's policy.
        _allow(list(DATA_PLANE), ["*"]),
        _allow(["iot:AssumeRoleWithCertificate"], [names.arn(f"rolealias/{names.role_alias}")]),
    ]
    made = {"Version": "2012-10-17", "Statement": statements}
    refuse_too_long(names.site, made)
    return made


def token_exchange_statements(document: Mapping[str, Any]) -> Iterator[Policy]:
    """What the role may do for the core, as this thing alone: publish results, write the outbox."""
    names = V2Names.of(document)
    topic = names.arn(f"topic/fanfold/{names.site}/{BY_CREDENTIALS}/*")
    yield _allow(["iot:Publish"], [topic], Sid="PublishResults")
    for statement in role_statements(document):
        if statement.get("Sid") == "WriteResults":
            yield statement


def _allow(actions: list[str], resources: list[str], **more: Any) -> Policy:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}
