"""What a core may do: on AWS IoT by its certificate's policy, in S3 by the role that it is lent.

The policy names things by variables, so that one policy serves every core of a site and no core
can speak as another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.planning import Finding, InvalidInput
from infra.targets.iot.names import IotNames

LONGEST = 2048
"""Characters without white space: AWS General Reference, IoT Core, policy document size."""
THING = "${iot:Connection.Thing.ThingName}"
Policy = dict[str, Any]


def core_policy(document: Mapping[str, Any]) -> Policy:
    """The AWS IoT policy of a site's cores. Raises InvalidInput beyond AWS's limit."""
    names = IotNames.of(document)
    topics = (
        f"fanfold/{names.site}/{THING}/*",
        f"$aws/things/{THING}/jobs/*",
        f"$aws/things/{THING}/shadow/*",
    )
    attached = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    statements = [
        _allow(["iot:Connect"], [names.arn(f"client/{THING}")], Condition=attached),
        _allow(["iot:Publish", "iot:Receive"], [names.arn(f"topic/{t}") for t in topics]),
        _allow(["iot:Subscribe"], [names.arn(f"topicfilter/{t}") for t in topics]),
        _allow(["iot:AssumeRoleWithCertificate"], [names.arn(f"rolealias/{names.role_alias}")]),
    ]
    made = {"Version": "2012-10-17", "Statement": statements}
    refuse_too_long(names.site, made)
    return made


def refuse_too_long(site: str, policy: Policy) -> None:
    size = len(re.sub(r"\s", "", json.dumps(policy)))
    if size <= LONGEST:
        return
    said = f"the AWS IoT policy has {size} characters, {LONGEST} allowed."
    raise InvalidInput(
        [Finding("FF162", "error", f"site {site}", said, "Shorten the site's name.")]
    )


def role_statements(document: Mapping[str, Any]) -> Iterator[Policy]:
    """What the lent role may do: read deployments, write the site's outbox."""
    names = IotNames.of(document)
    s3 = f"arn:{names.partition}:s3:::"
    yield _allow(["s3:GetObject"], [f"{s3}{names.bucket}/artifacts/*"], Sid="ReadDeployments")
    for bucket, prefix in _outbox(document):
        where = "/".join(filter(None, (prefix, f"site={names.site}", "*")))
        # GetObject is what HeadObject needs: the outbox verifies what it wrote.
        yield _allow(
            ["s3:PutObject", "s3:GetObject"], [f"{s3}{bucket}/{where}"], Sid="WriteResults"
        )


def _outbox(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for function in document["Functions"]:
        variables = function["FunctionConfiguration"].get("Environment", {}).get("Variables", {})
        if bucket := variables.get("FANFOLD_OUTBOX_BUCKET"):
            yield bucket, variables.get("FANFOLD_OUTBOX_PREFIX", "").strip("/")


def _allow(actions: list[str], resources: list[str], **more: Any) -> Policy:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}
